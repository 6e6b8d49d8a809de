// Makes dist/bundle of the compiled modules: a few files of ready code in place of hundreds of modules, which halves the
// time that each call of `sendmail` or `mailq` takes to begin (docs/decisions/building.md). `bin/postern` does without it
// when it is missing or old.
//
// The program is run twice: first to learn which modules a short call, a daemon's parent and a worker need, which makes
// the parts; then to have V8's compiled form of what they use.
//
// Nothing is parsed: the compiler writes imports and exports in one form each, one to a line, and a line that is in
// another form stops this step.
import { existsSync, mkdirSync, readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire, isBuiltin } from 'node:module'
import { dirname, join, resolve, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { keepCaches, train } from './train.mjs'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const dist = join(root, 'dist')
const entry = join(dist, 'src/tools/cli/main.js')
const done = join(dist, 'bundle')
const making = join(dist, 'bundle.new')

/** Packages that are put into the bundle: most calls need them. Their native parts stay where they are. */
const packages = new Set(['lmdb', 'iconv-lite', 'dns-packet'])

/** Files by number; of packages: how they are required. */
const files = []
const numbers = new Map()
const numberOf = (file, place) => {
  if (!numbers.has(file)) numbers.set(file, files.push({ file, place }) - 1)
  return numbers.get(file)
}

/**
 * Modules of Node that take long to load: a function of theirs loads them when it is first called, a class or a constant
 * where it is used.
 */
const late = new Set(
  [
    'child_process',
    'crypto',
    'dgram',
    'fs/promises',
    'http',
    'https',
    'net',
    'os',
    'tls',
    'tty',
    'url',
    'v8',
    'zlib',
  ].map((name) => `node:${name}`),
)
const isClass = (name) => /^[A-Z]/.test(name)

/** `promisify` looks at what some functions carry, which a function in their place would lack. */
const isBare = (call) => !Object.getOwnPropertySymbols(call).some((key) => /promisify/i.test(key.description))

/** Declarations of what a module imports by name. */
function named(list, name, from) {
  const what = loaded(name, from)
  if (!late.has(name)) return `const {${pairs(list).map(([a, b]) => `${a}: ${b}`)}} = ${what};`
  return pairs(list)
    .filter(([a]) => isCalled(name, a, from))
    .map(([a, b]) =>
      isBare(createRequire(from)(name)[a])
        ? `let ${b} = (...$given) => (${b} = ${what}.${a})(...$given);`
        : `const ${b} = ${what}.${a};`,
    )
    .join('')
}

/** A function, and no class. */
function isCalled(name, exported, from) {
  return typeof createRequire(from)(name)[exported] === 'function' && !isClass(exported)
}

/** The expression that gives what a module exports. */
function loaded(name, from) {
  if (name.startsWith('.')) return `$.load(${numberOf(resolve(dirname(from), name))})`
  if (packages.has(name)) {
    const file = createRequire(join(done, '0.cjs')).resolve(name)
    return `$.moduleAt(${numberOf(realpathSync(file), [name])})()`
  }
  return `$.outside(${JSON.stringify(name)})`
}

/** `a, b as c` as [['a', 'a'], ['b', 'c']]. */
function pairs(list) {
  const items = list.split(',').map((item) => item.trim())
  return items
    .filter((item) => item !== '')
    .map((item) => {
      const [inside, outside] = item.split(' as ')
      return [inside, outside ?? inside]
    })
}

const importLine = /^import (?:(\w+)(?:, )?)?(?:\* as (\w+) )?(?:\{([^}]*)\} )?(?: ?from )?'([^']+)';$/gm
const exportAllLine = /^export \* from '([^']+)';$/gm
const exportFromLine = /^export \{([^}]*)\} from '([^']+)';$/gm
const exportListLine = /^export \{([^}]*)\};$/gm
const exportDeclaration = /^export (const|class|function\*?|async function\*?) (\w+)/gm
// Each process keeps this text in memory; what it is about stands in the modules.
const comments = /^[ \t]*(?:\/\*\*[^]*?\*\/[ \t]*|\/\/ .*)\n/gm
const mapLine = /^\/\/# sourceMappingURL=.*$/gm

/** V8 keeps text of one byte a character in half the memory, and reads it faster. */
function ascii(text) {
  return text.replace(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

function wrapped({ file, place }, number) {
  return place === undefined ? wrappedModule(file) : wrappedPackage(file, place, number)
}

/** Classes and constants of such a module are looked up where they are used. */
function lookedUpLate(code, from) {
  let text = code
  for (const [, , , list = '', name] of code.matchAll(importLine)) {
    if (!late.has(name)) continue
    for (const [inside, outside] of pairs(list)) {
      if (isCalled(name, inside, from)) continue
      const use = isClass(inside)
        ? `(?<=\\b(?:new|instanceof|extends) )${outside}\\b`
        : `(?<![\\w.$])${outside}(?=[.[])`
      text = text.replace(new RegExp(use, 'g'), `($.outside('${name}').${inside})`)
    }
  }
  return text
}

function wrappedModule(file) {
  const exported = []
  const passedOn = []
  const code = ascii(readFileSync(file, 'utf8'))
  const text = lookedUpLate(code, file)
    .replace(importLine, (_, byDefault, all, list, name) => {
      const what = loaded(name, file)
      return [
        byDefault === undefined ? '' : `const ${byDefault} = $.byDefault(${what});`,
        all === undefined ? '' : `const ${all} = ${what};`,
        list === undefined ? '' : named(list, name, file),
      ].join('')
    })
    .replace(exportAllLine, (_, name) => {
      passedOn.push(`Object.assign($exports, ${loaded(name, file)});`)
      return ''
    })
    .replace(exportFromLine, (_, list, name) => {
      for (const [a, b] of pairs(list)) passedOn.push(`$exports.${b} = ${loaded(name, file)}.${a};`)
      return ''
    })
    .replace(exportListLine, (_, list) => {
      exported.push(...pairs(list))
      return ''
    })
    .replace(exportDeclaration, (_, kind, name) => {
      exported.push([name, name])
      return `${kind} ${name}`
    })
    .replace(/\bimport\('([^']+)'\)/g, (_, name) =>
      name.startsWith('.') ? `$.soon(() => ${loaded(name, file)})` : `$.imported('${name}')`,
    )
    .replaceAll('import.meta.url', `($.folder + ${JSON.stringify(relative(dist, file))})`)
    .replace(mapLine, '')
    .replace(comments, '')
  const left = /^(?:import |export |.*(?:import\.meta|(?<![\w.])import\()).*$/m.exec(text)
  if (left !== null) throw new Error(`${file}: cannot be bundled: ${left[0]}`)
  const made = exported.map(([inside, outside]) => `$exports.${outside} = ${inside};`)
  return `function ($exports) { 'use strict'; ${text}\n${passedOn.join('')}${made.join('')}}`
}

/** A CommonJS module, as it stands; where it is installed is found out when it asks. */
function wrappedPackage(file, place, number) {
  const text = readFileSync(file, 'utf8')
  const from = createRequire(file)
  const inside = {}
  for (const [, name] of text.matchAll(/\brequire\(['"]([^'"]+)['"]\)/g)) {
    if (isBuiltin(name)) continue
    let found
    try {
      found = realpathSync(from.resolve(name))
    } catch {
      // For another platform, or a word in a comment.
      continue
    }
    if (/\.c?js$/.test(found) && isCommonJs(found)) inside[name] = numberOf(found, [name, number])
  }
  const body = ascii(text)
    .replace(mapLine, '')
    .replace(comments, '')
    .replace(/(?<![\w.$])__filename\b/g, `$.fileOf(${number})`)
    .replace(/(?<![\w.$])__dirname\b/g, `$.outside('node:path').dirname($.fileOf(${number}))`)
  return `function () { return $.loadPackage(${number}, ${JSON.stringify(place)}, ${JSON.stringify(inside)}, function (module, exports, require) { ${body}\n}) }`
}

function isCommonJs(file) {
  if (file.endsWith('.cjs')) return true
  for (let folder = dirname(file); ; folder = dirname(folder)) {
    const path = join(folder, 'package.json')
    if (existsSync(path)) return JSON.parse(readFileSync(path, 'utf8')).type !== 'module'
  }
}

/** Files `0.cjs`, `1.cjs` ... of the modules in each part. */
function writeParts(functions, parts) {
  rmSync(making, { recursive: true, force: true })
  mkdirSync(making)
  for (const [i, part] of parts.entries()) {
    const text = part.map((number) => `$modules[${number}] = ${functions[number]};\n`).join('')
    writeFileSync(join(making, `${i}.cjs`), `(function ($modules, $) {${text}})`, 'latin1')
  }
}

rmSync(done, { recursive: true, force: true })
numberOf(entry)
const functions = []
// The list grows while it is worked through.
for (let at = 0; at < files.length; at++) functions.push(wrapped(files[at], at))
const all = functions.map((_, number) => number)

writeParts(functions, [all])
const learned = join(dist, 'bundle.learned')
const needs = async () => {
  await train(making, learned)
  const uses = (role) => JSON.parse(readFileSync(join(learned, `${role}.json`), 'utf8'))
  // The parent starts its worker before it does anything else.
  const first = all.filter((number) => /[/](?:fork-worker|ticket-keys)[.]js$/.test(files[number].file))
  return [[...uses('call'), ...first], uses('parent'), uses('worker'), uses('message')]
}
const parts = []
const placed = new Set()
for (const needed of [...(await needs()), all]) {
  const part = needed.filter((number) => !placed.has(number))
  for (const number of part) placed.add(number)
  parts.push(part)
}
writeParts(functions, parts)
await needs()
keepCaches(learned, making)
// Last of all: from now on it is used.
renameSync(making, done)
