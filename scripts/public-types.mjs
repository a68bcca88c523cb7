/**
 * The public types of the package: every declaration that can be reached from the types of a subpath, and what is wrong
 * with one: it or a member of it is internal (`@internal`), or has no docstring. Three kinds of members need none: those whose
 * type is a literal or `never`, which say all there is; those that a type of the language declares, such as an error's
 * `name`; the rows of a constant table, and what a function takes and returns. Used by scripts/check-package.mjs and a test.
 */
import ts from 'typescript'

const OPTIONS = {
  target: ts.ScriptTarget.ES2022,
  lib: ['lib.es2023.d.ts', 'lib.esnext.disposable.d.ts'],
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  strict: true,
  noEmit: true,
}

/** The declarations that declare something of their own, with members where they have some. */
const isNamed = (node) =>
  ts.isInterfaceDeclaration(node) ||
  ts.isClassDeclaration(node) ||
  ts.isTypeAliasDeclaration(node) ||
  ts.isFunctionDeclaration(node) ||
  ts.isVariableDeclaration(node)

const isMember = (node) =>
  ts.isTypeElement(node) ||
  (ts.isClassElement(node) && !ts.isSemicolonClassElement(node) && !ts.isClassStaticBlockDeclaration(node))

/** Whether users cannot reach a member: `private` and `#private`. A protected one is reached by a subclass. */
const isPrivate = (node) =>
  (node.name !== undefined && ts.isPrivateIdentifier(node.name)) ||
  (ts.getCombinedModifierFlags(node) & ts.ModifierFlags.Private) !== 0

/** Whether a member's type says it all: `'ping'`, `1`, `never`. */
function isSelfEvident({ type, initializer }) {
  if (type === undefined) return initializer !== undefined && ts.isLiteralExpression(initializer)
  return ts.isLiteralTypeNode(type) || type.kind === ts.SyntaxKind.NeverKeyword
}

/** Whether one docstring tells all: the rows of a constant table, and what a function takes and returns. */
const isToldOnce = (node) => ts.isVariableDeclaration(node) || ts.isFunctionDeclaration(node)

const isInternal = (node) => ts.getJSDocTags(node).some((tag) => tag.tagName.text === 'internal')

/** @returns whether a declaration, or what it implements or overrides, says what it is */
function isDocumented(node, symbol, checker) {
  if (ts.getJSDocCommentsAndTags(node).some(ts.isJSDoc)) return true
  return symbol !== undefined && symbol.getDocumentationComment(checker).length > 0
}

/**
 * Walks all that can be reached from some files.
 * @param entries the files, by absolute paths
 * @param isOwn whether a file is one of the package
 * @param options of the compiler, beside the usual ones, such as `typeRoots`
 * @returns `faults`: a line for each; `types`: the names of the declarations that were looked at; `members`: how many
 */
export function checkPublicTypes(entries, isOwn, options = {}) {
  const program = ts.createProgram(entries, { ...OPTIONS, ...options })
  const checker = program.getTypeChecker()
  const seen = new Set()
  const faults = []
  const types = []
  let members = 0

  const place = (node) => {
    const file = node.getSourceFile()
    const { line } = file.getLineAndCharacterOfPosition(node.getStart())
    return `${file.fileName.split('/').slice(-2).join('/')}:${String(line + 1)}`
  }
  const judge = (node, name, symbol) => {
    if (isInternal(node)) faults.push(`${place(node)} ${name} is internal`)
    else if (!isDocumented(node, symbol, checker)) faults.push(`${place(node)} ${name} has no docstring`)
  }
  /** Whether a base of a class or an interface that is not of the package declares a member. */
  const isOfLanguage = (member) => {
    const { parent } = member
    if (!ts.isClassLike(parent) && !ts.isInterfaceDeclaration(parent)) return false
    const inherited = checker.getBaseTypes(checker.getTypeAtLocation(parent)).map((base) => {
      return checker.getPropertyOfType(base, member.name.getText())
    })
    return inherited.some((symbol) =>
      symbol?.declarations?.some((declaration) => {
        return !isOwn(declaration.getSourceFile().fileName) || isOfLanguage(declaration)
      }),
    )
  }

  const resolve = (symbol) =>
    (symbol.flags & ts.SymbolFlags.Alias) === 0 ? symbol : checker.getAliasedSymbol(symbol)

  const visitSymbol = (found) => {
    const symbol = resolve(found)
    if (seen.has(symbol)) return
    seen.add(symbol)
    for (const declaration of symbol.declarations ?? []) {
      if (!isNamed(declaration) || !isOwn(declaration.getSourceFile().fileName)) continue
      types.push(symbol.name)
      judge(declaration, symbol.name, symbol)
      visitNode(declaration, symbol.name)
    }
  }

  /** What a declaration names, and the members that it has, however deep. */
  const visitNode = (node, owner, isTold = isToldOnce(node)) => {
    ts.forEachChild(node, (child) => {
      // Code, where the files are sources.
      if (ts.isBlock(child) || child === node.initializer) return
      if (ts.isIdentifier(child)) {
        const symbol = checker.getSymbolAtLocation(child)
        if (symbol !== undefined) visitSymbol(symbol)
        return
      }
      if (isMember(child)) {
        if (isPrivate(child)) return
        const isNew = ts.isConstructorDeclaration(child) || ts.isConstructSignatureDeclaration(child)
        const isCall = ts.isCallSignatureDeclaration(child) || ts.isIndexSignatureDeclaration(child)
        members += 1
        if (isNew || isCall || isTold || isSelfEvident(child)) {
          if (isInternal(child)) judge(child, owner, undefined)
        } else if (!isOfLanguage(child)) {
          const name = `${owner}.${child.name.getText()}`
          judge(child, name, checker.getSymbolAtLocation(child.name))
          visitNode(child, name)
          return
        }
      }
      visitNode(child, owner, isTold)
    })
  }

  for (const entry of entries) {
    const file = program.getSourceFile(entry)
    const module = file === undefined ? undefined : checker.getSymbolAtLocation(file)
    if (module === undefined) throw new Error(`${entry} is not a module`)
    for (const symbol of checker.getExportsOfModule(module)) visitSymbol(symbol)
  }
  return { faults, types: [...new Set(types)].sort(), members }
}

/**
 * The members of the types that a file exports, as users see them: those of its interfaces and of the instances of its
 * classes, inherited ones included.
 * @returns for each type its members in order; a symbol of the language is `[Symbol.asyncDispose]`
 */
export function listMembers(entry, options = {}) {
  const program = ts.createProgram([entry], { ...OPTIONS, ...options })
  const checker = program.getTypeChecker()
  const file = program.getSourceFile(entry)
  const module = file === undefined ? undefined : checker.getSymbolAtLocation(file)
  if (module === undefined) throw new Error(`${entry} is not a module`)
  const isPublic = (symbol) => !(symbol.declarations ?? []).some((node) => isPrivate(node))
  const nameOf = ({ escapedName }) => String(escapedName).replace(/^__@(\w+)@\d+$/, '[Symbol.$1]')
  const lists = {}
  for (const exported of checker.getExportsOfModule(module)) {
    const isAlias = (exported.flags & ts.SymbolFlags.Alias) !== 0
    const symbol = isAlias ? checker.getAliasedSymbol(exported) : exported
    if ((symbol.flags & (ts.SymbolFlags.Interface | ts.SymbolFlags.Class)) === 0) continue
    const properties = checker.getPropertiesOfType(checker.getDeclaredTypeOfSymbol(symbol))
    lists[exported.name] = properties.filter(isPublic).map(nameOf).sort()
  }
  return lists
}
