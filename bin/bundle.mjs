// Makes dist/postern.cjs of the compiled modules, and dist/postern.cache of it: one file of ready code in place of
// hundreds of modules, which halves the time that each call of `sendmail` or `mailq` takes to begin
// (docs/decisions/building.md). `bin/postern` does without both when they are missing or old.
//
// Nothing is parsed: the compiler writes imports and exports in one form each, one to a line, and a line that is in
// another form stops this step.
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { bundlePaths, compileBundle } from './bundled.mjs'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const entry = join(root, 'dist/src/tools/cli/main.js')

const numbers = new Map()
const files = []
const numberOf = (file) => {
  if (!numbers.has(file)) numbers.set(file, files.push(file) - 1)
  return numbers.get(file)
}

/** The expression that gives what a module exports. */
function loaded(name, from) {
  if (name.startsWith('.')) return `$load(${numberOf(resolve(dirname(from), name))})`
  return `$outside(${JSON.stringify(name)})`
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

/** V8 keeps text of one byte a character in half the memory, and reads it faster. */
function ascii(text) {
  return text.replace(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

function wrapped(file) {
  const exported = []
  const passedOn = []
  const text = ascii(readFileSync(file, 'utf8'))
    .replace(importLine, (_, byDefault, all, list, name) => {
      const what = loaded(name, file)
      return [
        byDefault === undefined ? '' : `const ${byDefault} = $default(${what});`,
        all === undefined ? '' : `const ${all} = ${what};`,
        list === undefined ? '' : `const {${pairs(list).map(([a, b]) => `${a}: ${b}`)}} = ${what};`,
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
      name.startsWith('.') ? `$soon(() => ${loaded(name, file)})` : `$soon(() => $imported('${name}'))`,
    )
    .replaceAll('import.meta.url', `($folder + ${JSON.stringify(relative(join(root, 'dist'), file))})`)
    .replace(/^\/\/# sourceMappingURL=.*$/gm, '')
    // Each process keeps this text in memory; what it is about stands in the modules.
    .replace(/^[ \t]*\/\*\*[^]*?\*\/[ \t]*\n/gm, '')
  const left = /^(?:import |export |.*(?:import\.meta|(?<![\w.])import\()).*$/m.exec(text)
  if (left !== null) throw new Error(`${file}: cannot be bundled: ${left[0]}`)
  const made = exported.map(([inside, outside]) => `$exports.${outside} = ${inside};`)
  return `function ($exports) { 'use strict'; ${text}\n${passedOn.join('')}${made.join('')}}`
}

function bundle() {
  numberOf(entry)
  const functions = []
  // The list grows while it is worked through.
  for (let at = 0; at < files.length; at++) functions.push(wrapped(files[at]))
  return `(function ($outside, $default, $imported, $folder) { const $loaded = [];
function $load(number) {
  if ($loaded[number] === undefined) $modules[number]($loaded[number] = {});
  return $loaded[number];
}
const $soon = async (give) => give();
const $modules = [${functions.join(',\n')}];
return $load(0); })`
}

const paths = bundlePaths(root)
for (const path of [paths.code, paths.cache]) rmSync(path, { force: true })
const code = bundle()
const { main, script } = compileBundle(paths.code, code, undefined)
// What a short call uses is compiled once here, and goes into the cache.
const configuration = join(root, 'dist/empty.conf')
writeFileSync(configuration, 'keep_environment =\nlog_file_path = stderr\n')
await main({ path: 'postern', words: ['-C', configuration, '-be', '${lc:$primary_hostname}'] })
rmSync(configuration)
if (process.exitCode !== 0) throw new Error('the bundled program does not run')
writeFileSync(paths.cache, script.createCachedData())
// Last of all: from now on it is used.
writeFileSync(`${paths.code}.new`, code, 'latin1')
renameSync(`${paths.code}.new`, paths.code)
