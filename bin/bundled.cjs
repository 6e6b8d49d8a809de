// Loads what bin/bundle.mjs has made: the program in a few parts, each with V8's compiled form of it.
const { existsSync, readFileSync, statSync } = require('node:fs')
const { createRequire, isBuiltin } = require('node:module')
const { dirname, isAbsolute, join } = require('node:path')
const vm = require('node:vm')

const root = join(__dirname, '..')
const folder = join(root, 'dist/bundle')

/** The bundled main program; undefined when there is none, or the modules have been compiled anew since. */
exports.bundledMain = () => {
  const made = statSync(join(folder, '0.cjs'), { throwIfNoEntry: false })
  if (made === undefined) return undefined
  const compiled = statSync(join(root, 'dist/tsconfig.tsbuildinfo'), { throwIfNoEntry: false })
  if (compiled !== undefined && compiled.mtimeMs > made.mtimeMs) return undefined
  return exports.openBundle(folder, cacheKind()).main
}

/** Workers run with flags of their own, which count for V8's cache, and use other functions than short calls. */
const cacheKind = () => {
  if (process.env.POSTERN_WORKER !== undefined) return 'worker'
  return process.argv.some((word) => word === '-bd' || word === '-bdf') ? 'parent' : 'call'
}

/**
 * Reads the parts `0.cjs`, `1.cjs` ... when they are first needed.
 * @param kind whose caches are used; one of another version of Node is not used, and does no harm
 */
exports.openBundle = (from, kind, useCaches = true) => {
  if (kind === 'worker') beginWorker()
  const require = createRequire(join(from, '0.cjs'))
  const modules = []
  const loaded = []
  const scripts = []
  const places = []

  const moduleAt = (number) => {
    while (modules[number] === undefined) readPart()
    return modules[number]
  }
  const readPart = () => {
    const number = scripts.length
    const path = join(from, `${number}.cjs`)
    const cached = (of) => (useCaches ? readOrNothing(join(from, `${of}-${number}.cache`)) : undefined)
    const cachedData = cached(kind) ?? (kind === 'parent' ? cached('call') : undefined)
    const code = readFileSync(path, 'latin1')
    const script = withoutFlags(() => new vm.Script(code, { filename: path, cachedData }))
    scripts.push(script)
    script.runInThisContext()(modules, runtime)
  }
  const load = (number) => {
    if (loaded[number] === undefined) moduleAt(number)((loaded[number] = {}))
    return loaded[number]
  }
  /** A module of a package. `inside`: which of the modules that it requires are in the bundle. */
  const loadPackage = (number, [name, requirer], inside, run) => {
    const known = loaded[number]
    if (known !== undefined) return known.exports
    places[number] = { name, requirer }
    const module = (loaded[number] = { exports: {} })
    const requireFrom = (wanted) => {
      const within = inside[wanted]
      if (wanted === nativeLoader) return (folder) => native(folder, name) ?? moduleAt(within)()(folder)
      if (within !== undefined) return moduleAt(within)()
      if (isBuiltin(wanted) || isAbsolute(wanted)) return require(wanted)
      return createRequire(fileOf(number))(wanted)
    }
    run.call(module.exports, module, module.exports, requireFrom)
    return module.exports
  }
  /** Where a module of a package is installed. */
  const fileOf = (number) => {
    const place = places[number]
    place.file ??= (
      place.requirer === undefined ? require : createRequire(fileOf(place.requirer))
    ).resolve(place.name)
    return place.file
  }
  const isModule = (exported) => exported[Symbol.toStringTag] === 'Module'
  const runtime = {
    load,
    loadPackage,
    fileOf,
    moduleAt,
    outside: require,
    byDefault: (exported) => (isModule(exported) ? exported.default : exported),
    // As `await import` shows a CommonJS package.
    async imported(name) {
      const exported = require(name)
      return isModule(exported) ? exported : Object.create(exported, { default: { value: exported } })
    },
    soon: async (give) => give(),
    // Where it runs, not where it was built: a package is built elsewhere.
    get folder() {
      return `${require('node:url').pathToFileURL(dirname(from)).href}/`
    },
  }
  const { main } = load(0)
  return {
    main,
    scripts,
    loaded,
    upTo(part) {
      while (scripts.length <= part) readPart()
    },
  }
}

const nativeLoader = 'node-gyp-build-optional-packages'

/** The usual place of a package's native part; undefined: the package's own loader is to look for it. */
function native(folder, name) {
  const { arch, platform, versions, env } = process
  if (platform !== 'linux' || existsSync('/etc/alpine-release') || existsSync(join(folder, 'build'))) return undefined
  if (env.LIBC !== undefined || env[`${name.toUpperCase().replace(/-/g, '_')}_PREBUILD`] !== undefined) return undefined
  try {
    const require = createRequire(join(folder, 'package.json'))
    const place = dirname(require.resolve(`@${name}/${name}-linux-${arch}`))
    return require(join(place, `node.abi${versions.modules}.glibc.node`))
  } catch {
    return undefined
  }
}

/** Modules of Node that each worker needs. */
const ofWorkers = ['child_process', 'crypto', 'dgram', 'fs/promises', 'net', 'os', 'stream', 'tls', 'url', 'zlib']

/**
 * Node's own modules have a compiled form in its program, which V8 takes only under the usual flags. Those that a worker is
 * started with (src/server/privileged/fork-worker.ts) have had their effect by now, and are set back; then the modules are
 * loaded before src/base/regex.ts sets flags.
 */
function beginWorker() {
  const { setFlagsFromString } = require('node:v8')
  setFlagsFromString('--max-semi-space-size=0')
  setFlagsFromString('--no-expose-gc')
  for (const name of ofWorkers) require(`node:${name}`)
}

const regexFlags = ['enable-experimental-regexp-engine', 'enable-experimental-regexp-engine-on-excessive-backtracks']

/** Does something under the usual flags, which count for the cache: src/base/regex.ts may have set two. */
const withoutFlags = (exports.withoutFlags = (what) => {
  if (!hasLinearEngine()) return what()
  const { setFlagsFromString } = require('node:v8')
  for (const flag of regexFlags) setFlagsFromString(`--no-${flag}`)
  try {
    return what()
  } finally {
    for (const flag of regexFlags) setFlagsFromString(`--${flag}`)
  }
})

/** Without the flag V8 knows no `l`. */
function hasLinearEngine() {
  try {
    return new RegExp('', 'l') !== undefined
  } catch {
    return false
  }
}

function readOrNothing(path) {
  try {
    return readFileSync(path)
  } catch {
    return undefined
  }
}
