import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { pipeTo } from '../../../test/support/local-jobs.ts'
import type { FromChild, ToChild } from './messages.ts'

test('what one delivery has asked for and not read is no part of the next', { timeout: 30_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'postern-job-'))
  chmodSync(folder, 0o777)
  const program = fileURLToPath(new URL('job-child.js', import.meta.url))
  // It refuses to deliver as root.
  const ids = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {}
  const child = fork(program, [], { ...ids, cwd: '/', serialization: 'advanced' })
  const tell = (message: ToChild): unknown => child.send(message)
  const next = async (): Promise<FromChild> => {
    const [message] = (await once(child, 'message')) as [FromChild]
    return message
  }
  try {
    const filter = { argv: ['/bin/false'], timeoutMs: 10_000 }
    tell({ type: 'job', job: { ...pipeTo('cat'), filter } })
    assert.equal((await next()).type, 'more')
    // The filter has failed while the message was on its way.
    assert.equal((await next()).type, 'result')
    tell({ type: 'body', piece: Buffer.from('of the first') })
    const file = join(folder, 'file')
    tell({ type: 'job', job: pipeTo(`cat > ${file}`) })
    const pieces = [Buffer.from('I am away.\n'), undefined]
    let asked = 0
    for (let message = await next(); message.type === 'more'; message = await next())
      tell({ type: 'body', piece: pieces[asked++] })
    assert.equal(readFileSync(file, 'latin1'), 'I am away.\n')
    assert.equal(asked, 2)
  } finally {
    child.kill()
    rmSync(folder, { recursive: true })
  }
})
