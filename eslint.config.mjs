import { builtinModules } from 'node:module'
import js from '@eslint/js'
import { defineConfig, globalIgnores } from 'eslint/config'
import jest from 'eslint-plugin-jest'
import tseslint from 'typescript-eslint'

/** What Node gives every module; asked of Node itself, so that the list is never behind. */
const nodeGlobals = Object.fromEntries(
  Object.getOwnPropertyNames(globalThis).map((name) => [name, 'readonly']),
)

/** A disabled rule says why, beside it: `-- reason`. */
const directives = {
  rules: {
    'say-why': {
      meta: { type: 'suggestion', schema: [] },
      create: (context) => ({
        Program() {
          for (const comment of context.sourceCode.getAllComments()) {
            if (/^\s*eslint-disable(?!.*--\s*\S)/.test(comment.value)) {
              context.report({
                loc: comment.loc,
                message: 'Say why beside it: eslint-disable RULE -- reason',
              })
            }
          }
        },
      }),
    },
  },
}

/** Comments that stand for work that was not done: what a file does not do, it does not announce. */
const PROMISES = [
  /^[\s*]*(still |yet )?(being|to be|yet to be) (written|implemented|done|tested|continued|filled in|added)\b/i,
  /^[\s*]*(later|soon|not yet|wip|tbd)\b[.!:]?\s*$/i,
  /\bnot (yet )?(implemented|written|tested)( yet)?\b[.!]?\s*$/i,
  /\b(written|implemented|tested|done|added|filled in|follows?|comes?) (later|soon)[.!]?\s*$/i,
  /\b(write|implement|test|add|finish|fix|do) (this|it|that|them|these|those|more|the rest)? ?(later|soon)\b/i,
  /\b(placeholder|coming soon|work in progress)\b/i,
]

/** What CONTRIBUTING, "How to write", has other words for: an actor without a name, and "is no" for "is not a". */
const UNPLAIN = [
  /\b(whoever|somebody|someone)\b/i,
  /\b(what|that|which|it|they|this|these) (is|are|was|were) no (?!longer\b|larger\b|smaller\b|more\b|less\b)/i,
]

/** A comment as one line: its words may stand in two. */
const textOf = (comment) => comment.value.replace(/\n\s*\**\s*/g, ' ')

/** Functions of the tests that assert by themselves, by name. */
const ASSERTIONS = ['expect', 'expect*', 'fc.assert']

/** What no test may be called: it says nothing about what is right. */
const EMPTY_TITLE =
  /^(placeholder|todo|tbd|wip|tests?|it works?|works?|ok|empty|stub|nothing|foo|temp)[.!]?$/i

/** Forms that TypeScript has and this project does not use. */
const FORMS = [
  { selector: 'TSEnumDeclaration', message: 'Constants are `as const` objects' },
  { selector: 'TSModuleDeclaration[kind="namespace"]', message: 'Modules are files' },
]

/** Members of Node's objects that Node does not document, of Buffers, of handles, of responses: without the underscore. */
const UNDOCUMENTED = [
  '(ascii|base64|base64url|hex|latin1|ucs2|utf8)(Slice|Write)',
  'onread|onconnection|oncomplete|onerror|readStart|readStop|writeBuffer|useUserBuffer|getAsyncId',
  'writeQueueSize|isStreamBase|assignSocket|detachSocket|getOwnPropertySymbols|binding',
]
/** `stream._handle`, `stream['_handle']`, `const { _handle } = stream`, and a type that says that it is there. */
const nativeOnly = (names) =>
  [
    `MemberExpression[computed=false][property.type="Identifier"][property.name=/^(${names})$/]`,
    `MemberExpression[computed=true][property.value=/^(${names})$/]`,
    `Property[key.name=/^(${names})$/]`,
    `Property[key.value=/^(${names})$/]`,
    `TSPropertySignature[key.name=/^(${names})$/]`,
    `TSMethodSignature[key.name=/^(${names})$/]`,
    'Identifier[name="internalBinding"]',
  ].map((selector) => ({ selector, message: 'What Node does not document is used in src/native alone' }))
const NATIVE_ONLY = nativeOnly(['_.+', ...UNDOCUMENTED].join('|'))
/** The drop-in for `ws` has members with an underscore, since programs lean on those of `ws`; `onerror` is an event's. */
const NATIVE_ONLY_DROP_IN = nativeOnly(
  ['_(handle|events|read|write|final|httpMessage|readableState|writableState|parent)', ...UNDOCUMENTED]
    .join('|')
    .replace('|onerror', ''),
)

/** Nothing in the repository pretends: no comment that promises, no assertion that cannot fail. */
const honesty = {
  rules: {
    'no-promises': {
      meta: { type: 'problem', schema: [] },
      create: (context) => ({
        Program() {
          for (const comment of context.sourceCode.getAllComments()) {
            const lines = comment.value.split('\n')
            if (!lines.some((line) => PROMISES.some((promise) => promise.test(line)))) continue
            context.report({
              loc: comment.loc,
              message: 'Do it, or leave it out: a comment promises nothing',
            })
          }
        },
      }),
    },
    'plain-words': {
      meta: { type: 'suggestion', schema: [] },
      create: (context) => ({
        Program() {
          for (const comment of context.sourceCode.getAllComments()) {
            const [word] = UNPLAIN.map((form) => form.exec(textOf(comment))?.[0]).filter(Boolean)
            if (word === undefined) continue
            context.report({ loc: comment.loc, message: `CONTRIBUTING has a plainer word for "${word}"` })
          }
        },
      }),
    },
    /** `expect(true)`: what is written down in the test is the same in each run. */
    'no-constant-expect': {
      meta: { type: 'problem', schema: [] },
      create: (context) => ({
        'CallExpression[callee.name="expect"]'(node) {
          const [value] = node.arguments
          const isConstant =
            value === undefined ||
            value.type === 'Literal' ||
            (value.type === 'Identifier' && value.name === 'undefined') ||
            (value.type === 'UnaryExpression' && value.argument.type === 'Literal') ||
            (value.type === 'TemplateLiteral' && value.expressions.length === 0)
          if (isConstant) context.report({ node, message: 'Expect something of the code: this cannot fail' })
        },
      }),
    },
    /** An `expect` in a catch is not reached where nothing is thrown: `await expect(...).rejects` fails then. */
    'no-expect-in-catch': {
      meta: { type: 'problem', schema: [] },
      create: (context) => ({
        'CatchClause CallExpression[callee.name="expect"]'(node) {
          context.report({
            node,
            message: 'Where nothing is thrown, this is not reached: use rejects or toThrow',
          })
        },
      }),
    },
  },
}

const NO_CLOCK = 'No clock, timer or process here: time comes in as an argument, output goes out by a call'

export default defineConfig(
  // The types of the drop-in follow those of @types/ws, namespace and all; test/drop-in/types.test.ts compiles them.
  globalIgnores(['packages/*/index.d.ts', 'packages/*/index.d.mts']),
  globalIgnores([
    'dist',
    'packages/*/dist',
    'dist.*.tmp',
    'coverage',
    'autobahn/.venv',
    'autobahn/reports',
    'interop/.cache',
    'consumers/.cache',
  ]),
  js.configs.recommended,
  {
    plugins: { directives, honesty },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    languageOptions: { globals: nodeGlobals },
    rules: {
      'directives/say-why': 'error',
      'honesty/no-promises': 'error',
      eqeqeq: 'error',
      'no-constant-condition': ['error', { checkLoops: 'allExceptWhileTrue' }],
      'no-implicit-coercion': 'error',
      'no-new-func': 'error',
      'no-eval': 'error',
      'no-param-reassign': 'off',
      'no-restricted-imports': [
        'error',
        {
          paths: builtinModules
            .filter((name) => !name.startsWith('_') && !name.startsWith('node:'))
            .map((name) => ({ name, message: `Write node:${name}` })),
        },
      ],
      'no-warning-comments': ['error', { terms: ['todo', 'fixme', 'xxx', 'hack'] }],
      'object-shorthand': 'error',
      'prefer-template': 'error',
      // The error that one catches is not always worth a cause.
      'preserve-caught-error': 'off',
    },
  },

  {
    files: ['**/*.ts', '**/*.mts', '**/*.cts'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/consistent-type-exports': 'error',
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'separate-type-imports' }],
      '@typescript-eslint/no-import-type-side-effects': 'error',
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      // It believes that a method call changes no field, and that callers in JavaScript keep to the types.
      '@typescript-eslint/no-unnecessary-condition': 'off',
      // Mapped types with readonly have no Record form.
      '@typescript-eslint/consistent-indexed-object-style': 'off',
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_', ignoreRestSiblings: true },
      ],
      // The reason of an AbortSignal is whatever its owner gave.
      '@typescript-eslint/only-throw-error': [
        'error',
        { allowThrowingAny: true, allowThrowingUnknown: true },
      ],
      '@typescript-eslint/prefer-promise-reject-errors': [
        'error',
        { allowThrowingAny: true, allowThrowingUnknown: true },
      ],
      // A handler may return nothing or a promise of it: `void | Promise<void>`.
      '@typescript-eslint/no-invalid-void-type': 'off',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true, requireDefaultForNonUnion: false },
      ],
      // Where an index is known to be in range, the code says `bytes[i] as number`: it reads as the claim it is.
      '@typescript-eslint/no-non-null-assertion': 'error',
      '@typescript-eslint/non-nullable-type-assertion-style': 'off',
      // Numeric loops are the form of the hot path.
      '@typescript-eslint/prefer-for-of': 'off',
      'no-restricted-syntax': ['error', ...FORMS],
      'honesty/plain-words': 'error',
    },
  },

  {
    files: ['src/**/*.ts', 'demo/**/*.ts', 'packages/*/src/**/*.ts'],
    rules: {
      '@typescript-eslint/explicit-module-boundary-types': 'error',
      'max-lines': ['error', { max: 420 }],
      'no-console': 'error',
    },
  },
  {
    files: ['src/**/*.ts', 'demo/**/*.ts'],
    ignores: ['src/native/**'],
    rules: { 'no-restricted-syntax': ['error', ...FORMS, ...NATIVE_ONLY] },
  },
  {
    files: ['packages/*/src/**/*.ts'],
    rules: { 'no-restricted-syntax': ['error', ...FORMS, ...NATIVE_ONLY_DROP_IN] },
  },
  { files: ['demo/**/*.ts'], rules: { 'no-console': 'off' } },
  {
    // The protocol without I/O: the same input gives the same output, at any time.
    files: ['src/frame/**/*.ts', 'src/handshake/**/*.ts', 'src/connection/**/*.ts'],
    rules: {
      'no-restricted-globals': [
        'error',
        ...[
          'Date',
          'performance',
          'process',
          'queueMicrotask',
          'setImmediate',
          'setInterval',
          'setTimeout',
        ].map((name) => ({ name, message: NO_CLOCK })),
      ],
    },
  },

  {
    // Every test runs, says what is right, and can fail.
    files: ['test/**/*.test.ts'],
    plugins: { jest },
    rules: {
      'honesty/no-constant-expect': 'error',
      'jest/expect-expect': ['error', { assertFunctionNames: ASSERTIONS }],
      'jest/no-commented-out-tests': 'error',
      // Models and tables branch by what they expect; an `expect` in a catch is another thing: nothing need be thrown.
      'jest/no-conditional-expect': 'off',
      'honesty/no-expect-in-catch': 'error',
      'jest/no-disabled-tests': 'error',
      'jest/no-duplicate-hooks': 'error',
      'jest/no-export': 'error',
      'jest/no-focused-tests': 'error',
      'jest/no-identical-title': 'error',
      'jest/no-standalone-expect': 'error',
      'jest/no-test-prefixes': 'error',
      'jest/valid-describe-callback': 'error',
      'jest/valid-expect': 'error',
      'jest/valid-expect-in-promise': 'error',
      'jest/valid-title': [
        'error',
        {
          ignoreTypeOfDescribeName: true,
          mustNotMatch: Object.fromEntries(
            ['it', 'test', 'describe'].map((kind) => [
              kind,
              [EMPTY_TITLE.source, 'Say what is right, as a sentence'],
            ]),
          ),
        },
      ],
    },
  },

  // Commands of a model are objects: what they expect stands in their methods.
  { files: ['test/property/**/*.test.ts'], rules: { 'jest/no-standalone-expect': 'off' } },

  {
    // Programs of others: they are to be as their authors write them.
    files: ['test/drop-in/type-programs/**'],
    rules: {
      '@typescript-eslint/no-require-imports': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
    },
  },

  {
    files: ['test/**/*.ts'],
    rules: {
      // Tests call wrongly on purpose, and read what they know to be there.
      '@typescript-eslint/no-confusing-void-expression': 'off',
      '@typescript-eslint/no-deprecated': 'off',
      '@typescript-eslint/no-dynamic-delete': 'off',
      '@typescript-eslint/no-empty-function': 'off',
      '@typescript-eslint/no-extraneous-class': 'off',
      '@typescript-eslint/no-misused-spread': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-unnecessary-type-parameters': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      '@typescript-eslint/only-throw-error': 'off',
      '@typescript-eslint/prefer-promise-reject-errors': 'off',
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/restrict-template-expressions': 'off',
      '@typescript-eslint/unbound-method': 'off',
      'no-restricted-properties': [
        'error',
        ...['it', 'test', 'describe'].flatMap((object) =>
          ['only', 'skip', 'todo'].map((property) => ({ object, property, message: 'Every test runs' })),
        ),
      ],
    },
  },
)
