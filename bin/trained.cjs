// The program, for bin/train.mjs: `node bin/trained.cjs BUNDLE INTO ROLE WORDS [; WORDS ...]`. At its end it tells which
// modules it has loaded, and writes V8's compiled form of the functions that ran.
const { writeFileSync } = require('node:fs')
const { join } = require('node:path')
const { openBundle, withoutFlags } = require('./bundled.cjs')

const [bundle, into, role, ...rest] = process.argv.slice(2)
const as = process.env.POSTERN_WORKER === undefined ? role : 'worker'
const opened = openBundle(bundle, as === 'message' ? 'call' : as, false)

process.on('exit', () => {
  writeFileSync(join(into, `${as}.json`), JSON.stringify(Object.keys(opened.loaded).map(Number)))
  for (const [i, script] of opened.scripts.entries()) {
    // A short call's own parts hold what such calls use and no more; the others as far as some call uses them.
    const kind = { call: i === 0 ? 'call' : undefined, message: i === 0 ? undefined : 'call', worker: 'worker' }[as]
    const name = as === 'parent' ? `parent-${i}` : kind === undefined ? undefined : `${kind}-${i}`
    if (name !== undefined) writeFileSync(join(into, `${name}.cache`), withoutFlags(() => script.createCachedData()))
  }
})

run()

async function run() {
  for (let words = rest; words.length > 0; ) {
    const end = words.includes(';') ? words.indexOf(';') : words.length
    await opened.main({ path: 'postern', words: words.slice(0, end) })
    words = words.slice(end + 1)
  }
}
