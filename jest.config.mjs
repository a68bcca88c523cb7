/** Tests run from TypeScript source as CommonJS; types are checked apart, by `npm run types`. */
export default {
  testEnvironment: 'node',
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.test.ts'],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  transform: {
    '^.+\\.ts$': [
      'ts-jest',
      {
        tsconfig: {
          target: 'es2022',
          lib: ['es2023'],
          module: 'commonjs',
          moduleResolution: 'bundler',
          types: ['node', 'jest'],
          isolatedModules: true,
          esModuleInterop: true,
          sourceMap: true,
        },
        diagnostics: false,
      },
    ],
  },
  testTimeout: 20_000,
}
