/** Runs webpack once. */
import webpack from 'webpack'

/** @returns {Promise<string[]>} what it warned of, in its first lines. @throws Error with what it found wrong */
export function bundle(options) {
  return new Promise((resolve, reject) => {
    const compiler = webpack(options)
    compiler.run((error, stats) => {
      compiler.close(() => {
        if (error) reject(error)
        else if (stats.hasErrors()) reject(new Error(stats.toString('errors-only')))
        else
          resolve(
            stats
              .toJson({ all: false, warnings: true })
              .warnings.map(({ message }) => message.split('\n')[0]),
          )
      })
    })
  })
}
