/**
 * Tests run from TypeScript source as CommonJS, with nothing built before; types are checked apart, by
 * `npm run types`. The coverage floor counts only in runs with `--coverage` of the whole suite.
 */
import { availableParallelism } from 'node:os'

const whole = { branches: 100 }

/** Tests that are about the handles of sockets alone: HAWSER_NATIVE=off leaves nothing of what they test. */
const HANDLES_ALONE = ['!**/test/integration/handle-transport.test.ts']

export default {
  testEnvironment: 'node',
  // src too: a file that no test loads then counts against the coverage floor.
  roots: ['<rootDir>/src', '<rootDir>/demo', '<rootDir>/packages', '<rootDir>/test'],
  testMatch: ['**/*.test.ts', ...(process.env.HAWSER_NATIVE === 'off' ? HANDLES_ALONE : [])],
  moduleNameMapper: {
    '^hawser$': '<rootDir>/src/index.ts',
    '^hawser/(frame|handshake|deflate|connection|backplane|recovery|endpoints|json|whatwg)$':
      '<rootDir>/src/$1/index.ts',
    '^hawser/(crossws|express|fastify|hono|nest)$': '<rootDir>/src/adapters/$1.ts',
    '^hawser/(redis|nats)$': '<rootDir>/src/brokers/$1.ts',
    '^(\\.{1,2}/.*)\\.js$': '$1',
  },
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
  // Many tests wait more than they work: two at a time also where there are two cores.
  maxWorkers: Math.max(2, availableParallelism() - 1),
  testTimeout: 20_000,
  collectCoverageFrom: ['src/**/*.ts'],
  coverageReporters: ['text', 'lcov'],
  coverageThreshold: {
    './src/frame/': whole,
    './src/handshake/': whole,
    './src/deflate/': whole,
    './src/connection/': whole,
  },
}
