/** Takes the lock of a folder again and again, and seems to die with it now and then: FOLDER MILLISECONDS. Prints how often it was not alone. */
import { closeSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { bootId, ownProcessKey, takeLock } from '../../src/store/spool/process-key.ts'

const [folder = '', forMs = '0'] = process.argv.slice(2)
const until = Date.now() + Number(forMs)
const key = ownProcessKey()
let taken = 0
let crowded = 0
while (Date.now() < until) {
  const unlock = await takeLock(folder, 'lock', key, 10_000, undefined)
  taken++
  try {
    closeSync(openSync(`${folder}/inside`, 'wx'))
  } catch {
    crowded++
  }
  const began = performance.now()
  while (performance.now() - began < 0.1);
  rmSync(`${folder}/inside`, { force: true })
  if (Math.random() < 0.5) {
    // No process has this number.
    writeFileSync(`${folder}/dead.${key}`, `99999999.${taken}${process.pid}.${bootId()}`)
    renameSync(`${folder}/dead.${key}`, `${folder}/lock`)
  } else unlock()
  if (Math.random() < 0.2) await new Promise((resolve) => setImmediate(resolve))
}
console.log(JSON.stringify({ taken, crowded }))
