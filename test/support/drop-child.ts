/** Drops a message as the user it runs as. Arguments: folder, recipient, repetitions, `umask` in octal. */
import { type DropResult, writeDrop } from '../../src/store/drop.ts'

const [folder = '', recipient = '', times = '1', mask = '077'] = process.argv.slice(2)
process.umask(Number.parseInt(mask, 8))

async function* message(): AsyncGenerator<Uint8Array> {
  yield Buffer.from('Subject: dropped\n\n')
  yield Buffer.from('body\n')
}

let result: DropResult = { is: 'dropped' }
for (let i = 0; i < Number(times); i++) {
  result = await writeDrop(folder, { calledAs: 'sendmail', args: ['-i', recipient] }, message())
}
console.log(JSON.stringify(result))
