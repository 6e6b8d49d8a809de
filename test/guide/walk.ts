/** Follows one page, inside a machine of its own: `walk.js PAGE`. */
import { Page } from './page.ts'
import { walks } from './walks/index.ts'
import { endAll, furnish, logs } from './world.ts'

const name = process.argv[2] ?? ''
const found = walks[name]
if (found === undefined) throw new Error(`no walk for ${name}`)
furnish(found.hostname ?? 'mx.example.org')
const page = new Page(name)
let code = 0
// A walk that waits for what never comes says where it stands.
const longestMs = Number(process.env['POSTERN_GUIDE_MS'] ?? 300_000)
setTimeout(() => {
  console.log(`not through after ${longestMs / 1000} s\n${logs()}`)
  process.exit(1)
}, longestMs).unref()
try {
  await found.walk(page)
  page.end()
} catch (error) {
  code = 1
  console.log(error instanceof Error ? error.stack : String(error))
  if (process.env['POSTERN_GUIDE_LOGS'] !== undefined) console.log(logs())
}
await Promise.race([endAll(), new Promise((resolve) => setTimeout(resolve, 20_000))])
process.exit(code)
