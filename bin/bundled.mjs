// Loads what bin/bundle.mjs has made.
import { readFileSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { setFlagsFromString } from 'node:v8'
import vm from 'node:vm'

export function bundlePaths(root) {
  return { code: join(root, 'dist/postern.cjs'), cache: join(root, 'dist/postern.cache') }
}

/** The bundled main program; undefined when there is none, or the modules have been compiled anew since. */
export function bundledMain() {
  const root = join(dirname(fileURLToPath(import.meta.url)), '..')
  const { code, cache } = bundlePaths(root)
  const made = statSync(code, { throwIfNoEntry: false })
  if (made === undefined) return undefined
  const compiled = statSync(join(root, 'dist/tsconfig.tsbuildinfo'), { throwIfNoEntry: false })
  if (compiled !== undefined && compiled.mtimeMs > made.mtimeMs) return undefined
  return compileBundle(code, readFileSync(code, 'latin1'), readOrNothing(cache)).main
}

/** @param cachedData of another version of Node it is not used, and does no harm */
export function compileBundle(path, code, cachedData) {
  // V8 takes compiled code only when its flags are those it was compiled with: these are set in all processes, though
  // the first two have an effect in workers only, which are started with them (src/server/privileged/fork-worker.ts),
  // and src/base/regex.ts sets the others as soon as it is loaded.
  setFlagsFromString('--max-semi-space-size=4')
  setFlagsFromString('--expose-gc')
  setFlagsFromString('--enable-experimental-regexp-engine')
  setFlagsFromString('--enable-experimental-regexp-engine-on-excessive-backtracks')
  const script = new vm.Script(code, { filename: path, cachedData })
  const require = createRequire(path)
  const isModule = (exported) => exported[Symbol.toStringTag] === 'Module'
  const byDefault = (exported) => (isModule(exported) ? exported.default : exported)
  // As `await import` shows a CommonJS package.
  const imported = (name) => {
    const exported = require(name)
    return isModule(exported) ? exported : Object.create(exported, { default: { value: exported } })
  }
  const { main } = script.runInThisContext()(
    require,
    byDefault,
    imported,
    // Where it runs, not where it was built: a package is built elsewhere.
    new URL('.', pathToFileURL(path)).href,
  )
  return { main, script }
}

function readOrNothing(path) {
  try {
    return readFileSync(path)
  } catch {
    return undefined
  }
}
