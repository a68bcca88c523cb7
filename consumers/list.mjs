/**
 * The programs, each a file of `programs`.
 * @typedef {object} Program
 * @property {string} name of its file
 * @property {readonly string[]} packages whose versions are shown
 * @property {boolean} [quick] whether it is one of `--quick`
 * @property {{ server?: number, client?: number }} carries connections that the drop-in has to have carried at the least, by its role in them
 * @property {string} [wsFails] what `ws` loses in this program, where it does: then the drop-in alone has to pass
 * @property {string} [note]
 */

/** @type {readonly Program[]} */
export const PROGRAMS = [
  {
    name: 'socket.io',
    packages: ['socket.io', 'socket.io-client'],
    quick: true,
    carries: { server: 8, client: 8 },
  },
  {
    name: 'engine.io',
    packages: ['engine.io', 'engine.io-client'],
    quick: true,
    carries: { server: 5, client: 5 },
  },
  { name: 'graphql-ws', packages: ['graphql-ws', 'graphql'], quick: true, carries: { server: 5, client: 5 } },
  {
    name: 'fastify',
    packages: ['@fastify/websocket', 'fastify'],
    quick: true,
    carries: { server: 5, client: 5 },
  },
  { name: 'hono', packages: ['@hono/node-server', 'hono'], quick: true, carries: { server: 4, client: 4 } },
  {
    name: 'y-websocket',
    packages: ['y-websocket', '@y/websocket-server', 'yjs'],
    quick: true,
    carries: { server: 3, client: 3 },
  },
  { name: 'mqtt', packages: ['mqtt', 'aedes'], quick: true, carries: { server: 3, client: 3 } },
  { name: 'trpc', packages: ['@trpc/server', '@trpc/client'], carries: { server: 5, client: 5 } },
  { name: 'nest', packages: ['@nestjs/core', '@nestjs/platform-ws'], carries: { server: 4, client: 4 } },
  {
    name: 'crossws',
    packages: ['crossws'],
    carries: { server: 3, client: 3 },
    note: 'its own copy of ws is replaced inside its files',
  },
  {
    name: 'h3',
    packages: ['h3', 'crossws'],
    carries: { server: 2, client: 2 },
    note: 'the copy of ws inside crossws is replaced',
  },
  { name: 'viem', packages: ['viem'], carries: { server: 2, client: 2 } },
  { name: 'ethers', packages: ['ethers'], carries: { server: 2, client: 2 } },
  { name: 'jsdom', packages: ['jsdom'], carries: { server: 2, client: 2 } },
  {
    name: 'vite',
    packages: ['vite', 'playwright-core'],
    carries: { server: 3, client: 1 },
    note: 'its own copy of ws is replaced inside its files',
  },
  {
    name: 'webpack-dev-server',
    packages: ['webpack-dev-server', 'webpack'],
    carries: { server: 3, client: 2 },
  },
  {
    name: 'playwright',
    packages: ['playwright-core'],
    carries: { server: 2, client: 2 },
    note: 'its own copy of ws is replaced inside its files',
  },
  { name: 'puppeteer', packages: ['puppeteer-core'], carries: { client: 2 } },
  { name: 'bundle-esbuild', packages: ['esbuild'], quick: true, carries: { server: 8, client: 8 } },
  { name: 'bundle-rollup', packages: ['rollup'], carries: { server: 8, client: 8 } },
  { name: 'bundle-webpack', packages: ['webpack'], carries: { server: 4, client: 4 } },
  {
    name: 'bundle-next',
    packages: ['webpack'],
    carries: { server: 2, client: 2 },
    wsFails: 'it takes the empty module for its native helper: a frame of 32 bytes ends the process',
  },
]
