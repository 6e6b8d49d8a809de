/** What a command of the lmtp transport says before it goes is heard each time, however quickly it goes. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { test } from 'node:test'
import { SmtpClient } from '../../../wire/smtp/client.ts'
import { greet } from '../transports/smtp-session.ts'
import { StreamPair } from '../../../wire/stream-pair.ts'

const session = {
  lmtp: true,
  helo: 'x',
  avoidEsmtp: false,
  localAddress: undefined,
  connectMs: 20_000,
  commandMs: 20_000,
  keepalive: false,
  signal: undefined,
}

async function said(script: string): Promise<string | undefined> {
  const child = spawn('/bin/sh', ['-c', script], { stdio: ['pipe', 'pipe', 'ignore'] })
  const stream = new StreamPair(child.stdout, child.stdin)
  const greeted = await greet(new SmtpClient(stream), session, 65)
  stream.destroy()
  return 'is' in greeted ? greeted.error.message : undefined
}

const cases: readonly { readonly says: string; readonly script: string; readonly told: string }[] = [
  {
    says: 'a refusal as the greeting',
    script: "printf '421 busy\\r\\n'",
    told: 'SMTP error from remote mail server after initial connection: 421 busy',
  },
  {
    says: 'a refusal by who does not listen any more',
    script: "printf '220 x\\r\\n'; exec <&-; printf '421 going\\r\\n'",
    told: 'SMTP error from remote mail server after LHLO x: 421 going',
  },
  {
    says: 'nothing',
    script: 'exit 1',
    told: 'Remote host closed connection in response to initial connection',
  },
]
for (const { says, script, told } of cases)
  test(says, async () => {
    for (let round = 0; round < 5; round++) {
      const all = await Promise.all(Array.from({ length: 20 }, () => said(script)))
      assert.deepEqual([...new Set(all)], [told])
    }
  })
