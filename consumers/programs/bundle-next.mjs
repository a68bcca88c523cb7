/**
 * A server bundle as Next.js makes it: webpack for Node in a server's layer, with minified code, in chunks, with all packages inside, and
 * with packages that are not installed answered by an empty module. `ws` takes the empty module for its native helper.
 */
import path from 'node:path'
import { makeFolder, tryBundle, writeEntry } from '../lib/bundles.mjs'
import { bundle } from '../lib/webpack.mjs'

export async function run({ figure }) {
  const folder = makeFolder('next')
  const messages = await bundle({
    mode: 'production',
    target: 'node20',
    context: folder,
    entry: { 'app/route': { import: writeEntry(folder, 'esm'), layer: 'rsc' } },
    experiments: { layers: true },
    resolve: {
      conditionNames: ['node', 'import', 'module', 'require', 'default'],
      mainFields: ['main', 'module'],
      // Which is how users of Next.js silence its warning about them.
      alias: { bufferutil: false, 'utf-8-validate': false },
    },
    output: {
      path: path.join(folder, 'server'),
      filename: '[name].cjs',
      chunkFilename: 'chunks/[name].cjs',
      library: { type: 'commonjs2' },
    },
    optimization: {
      moduleIds: 'deterministic',
      splitChunks: {
        chunks: 'all',
        minSize: 0,
        cacheGroups: { vendor: { test: /node_modules/, name: 'vendor', enforce: true } },
      },
      runtimeChunk: false,
    },
  })
  const files = ['app/route.cjs', 'vendor.cjs'].map((name) => path.join(folder, 'server', name))
  return { messages, ...(await tryBundle(files[0], { figure, files })) }
}
