/** Sessions over a socket in this process and over a script, with a record in the place of the world. */
import assert from 'node:assert/strict'
import { connect, type Socket } from 'node:net'
import { test } from 'node:test'
import fc from 'fast-check'
import { runSession } from '../src/flow/receive/session.ts'
import { SpoolError } from '../src/store/spool/api.ts'
import { IdleWatch } from '../src/wire/idle-watch.ts'
import { startListener } from '../src/wire/listener.ts'
import { StreamIo } from '../src/wire/stream-io.ts'
import { converse, makeWorld, type RecordOptions } from './support/session-record.ts'
import { falseEnds } from './support/false-ends.ts'

const hello = ['EHLO x\r\n', 'MAIL FROM:<a@b.example>\r\n', 'RCPT TO:<u@test.example>\r\n'] as const
const codes = (output: string): string[] => [...output.matchAll(/^(\d{3}) /gm)].map((match) => match[1] ?? '')

// ------------------------------------------------------------------------------------- one end of data

const forged =
  'MAIL FROM:<evil@test.example>\r\nRCPT TO:<victim@test.example>\r\nDATA\r\nSubject: forged\r\n\r\nx\r\n.\r\n'
for (const end of falseEnds) {
  test(`smuggling: ${JSON.stringify(end)} gives one message`, async () => {
    const record = await converse([...hello, 'DATA\r\n', `Subject: a\r\n\r\nbody${end}${forged}`, 'QUIT\r\n'])
    assert.equal(record.messages.length, 1)
    assert.match(record.messages[0]?.body ?? '', /MAIL FROM:<evil@test.example>/)
    assert.doesNotMatch(record.messages[0]?.body ?? '', /\r/)
    assert.equal(record.messages[0]?.envelope.sender, 'a@b.example')
  })
  test(`smuggling by BDAT: ${JSON.stringify(end)} gives one message`, async () => {
    const chunk = `Subject: a\r\n\r\nbody${end}${forged}`
    const record = await converse([...hello, `BDAT ${chunk.length} LAST\r\n${chunk}`, 'QUIT\r\n'])
    assert.equal(record.messages.length, 1)
    assert.doesNotMatch(record.messages[0]?.body ?? '', /\r/)
  })
}

const refusals: readonly (readonly [says: string, options: RecordOptions, code: string])[] = [
  ['too big', { settings: { message_size_limit: '100' } }, '552'],
  ['a header line too long', { settings: { header_line_maxsize: 20 } }, '552'],
  ['headers too long', { settings: { header_maxsize: 50 } }, '552'],
  ['a full disk', { spoolError: new SpoolError('full', 'no space left on device') }, '452'],
  ['a broken disk', { spoolError: new SpoolError('io', 'input/output error') }, '451'],
  [
    'denied by the ACL',
    {
      settings: { acl_smtp_data: 'data' },
      acl: (place) =>
        place === 'data' ? { verdict: 'deny', userMessage: undefined, logMessage: undefined } : undefined,
    },
    '550',
  ],
]
for (const [says, options, code] of refusals) {
  test(`what follows a refused message is no command: ${says}`, async () => {
    const body = `Subject: ${'x'.repeat(60)}\r\n\r\n${'NOOP\r\n'.repeat(20)}.\r\n`
    const record = await converse(
      [...hello, 'DATA\r\n', body.slice(0, 40), body.slice(40), 'QUIT\r\n'],
      options,
    )
    assert.deepEqual(codes(record.output), ['220', '250', '250', '250', '354', code, '221'])
    assert.equal(record.messages.length, 0)
  })
  test(`what follows a refused chunk is no command: ${says}`, async () => {
    const chunk = `Subject: ${'x'.repeat(60)}\r\n\r\n${'NOOP\r\n'.repeat(20)}`
    const record = await converse([...hello, `BDAT ${chunk.length} LAST\r\n${chunk}`, 'QUIT\r\n'], options)
    assert.deepEqual(codes(record.output), ['220', '250', '250', '250', code, '221'])
    assert.equal(record.messages.length, 0)
  })
}

// ------------------------------------------------------------------------------------- what is kept

test('a message cut at any byte is the same message', async () => {
  const text = 'Subject: a\r\n folded\r\nX: y\r\n\r\n..dot\r\nline\r\n\r\nend\r\n.\r\n'
  for (let size = 1; size < text.length; size += 3) {
    const pieces = text.match(new RegExp(`[^]{1,${size}}`, 'g')) ?? []
    const record = await converse([...hello, 'DATA\r\n', ...pieces, 'QUIT\r\n'])
    assert.equal(record.messages[0]?.body, '.dot\nline\n\nend\n', `pieces of ${size}`)
    assert.deepEqual(
      record.messages[0]?.envelope.headers.slice(1).map((header) => header.text),
      ['Subject: a\n folded\n', 'X: y\n'],
    )
    assert.deepEqual(
      [record.messages[0]?.envelope.bodyLines, record.messages[0]?.envelope.maxReceivedLineLength],
      [4, 10],
    )
  }
})

test('a lone CR or LF in a header folds it', async () => {
  const record = await converse([
    ...hello,
    'DATA\r\n',
    'Subject: a\nX: b\rBcc: c\r\nTo: d\r\n\r\nx\r\n.\r\n',
    'QUIT\r\n',
  ])
  assert.deepEqual(
    record.messages[0]?.envelope.headers.slice(1).map((header) => header.text),
    ['Subject: a\n X: b\n Bcc: c\n', 'To: d\n'],
  )
})

test('the same, cut at any byte', async () => {
  const text = 'Subject: a\n\nX: b\r\rBcc: c\r\n\r\nx\r\n.\r\n'
  const whole = await converse([...hello, 'DATA\r\n', text])
  for (let at = 1; at < text.length; at++) {
    const record = await converse([...hello, 'DATA\r\n', text.slice(0, at), text.slice(at)])
    assert.deepEqual(
      record.messages[0]?.envelope.headers,
      whole.messages[0]?.envelope.headers,
      `cut at ${at}`,
    )
    assert.equal(record.messages[0]?.body, 'x\n')
  }
})

test('chunks join to one message', async () => {
  const record = await converse([
    ...hello,
    'BDAT 10\r\nSubject: a',
    'BDAT 3\r\n\r\n\r',
    'BDAT 5 LAST\r\n\nbody',
    'QUIT\r\n',
  ])
  assert.equal(record.messages[0]?.body, 'body\n')
  assert.match(
    record.output,
    /250 10 byte chunk received\r\n250 3 byte chunk received\r\n250- 5 byte chunk, total 20\r\n250 OK id=/,
  )
})

test('DSN values and the ACL variables are kept', async () => {
  const record = await converse(
    [
      'EHLO x\r\n',
      'MAIL FROM:<a@b.example> RET=HDRS ENVID=q+20\r\n',
      'RCPT TO:<u@test.example> NOTIFY=DELAY,FAILURE ORCPT=rfc822;u@x\r\n',
      'DATA\r\n',
      '\r\n.\r\n',
    ],
    {
      settings: { dsn_advertise_hosts: '*' },
      acl: (_place, context) => {
        context.connection?.aclC.set('c_who', 'me')
        context.message?.aclM.set('m1', 'it')
        return undefined
      },
    },
  )
  const envelope = record.messages[0]?.envelope
  assert.deepEqual([envelope?.dsnRet, envelope?.dsnEnvid], ['hdrs', 'q+20'])
  assert.deepEqual(envelope?.recipients[0]?.dsn, { notify: ['failure', 'delay'], orcpt: 'rfc822;u@x' })
  assert.deepEqual(envelope?.aclVariables, { c_who: { text: 'me' }, m1: { text: 'it' } })
})

test('a fault of the program answers 421 and ends only this session', async () => {
  const record = await converse(['EHLO x\r\n', 'MAIL FROM:<a@b.example>\r\n'], {
    settings: { acl_smtp_mail: 'mail' },
    acl: () => {
      throw new Error('broken invariant')
    },
  })
  assert.match(record.output, /421 Internal error: closing connection\r\n$/)
  assert.match(record.panic.join('\n'), /broken invariant/)
})

// ------------------------------------------------------------------------------------- over a socket

async function overSocket(
  options: RecordOptions,
  talk: (client: Socket, received: () => string) => Promise<void>,
): Promise<ReturnType<typeof makeWorld>['record']> {
  const world = makeWorld(options)
  const watch = new IdleWatch()
  let session: Promise<void> | undefined
  const started = await startListener({
    addresses: [{ address: '127.0.0.1', port: 0 }],
    backlog: 5,
    keepalive: true,
    noDelay: true,
    onSocket: (socket) => {
      const io = new StreamIo({ input: socket, output: socket, watch, shutdown: world.services.shutdown })
      session = runSession(io, world.connection, world.services).then(() => undefined)
    },
    onError: (problem) => assert.fail(problem),
  })
  assert.equal(started.is, 'listening')
  if (started.is !== 'listening') throw new Error('not listening')
  const client = connect(started.listener.addresses[0]?.port ?? 0, '127.0.0.1')
  let text = ''
  client.on('data', (piece) => (text += piece.toString('latin1')))
  client.on('error', () => {})
  await talk(client, () => text)
  client.destroy()
  await session
  await started.listener.close()
  return world.record
}

async function until(condition: () => boolean, limitMs = 5000): Promise<void> {
  const limit = Date.now() + limitMs
  while (!condition()) {
    assert.ok(Date.now() < limit, 'in time')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

test('a message over a socket, byte by byte', async () => {
  const record = await overSocket({}, async (client, received) => {
    await until(() => received().startsWith('220'))
    for (const byte of `${hello[0]}`) client.write(byte)
    await until(() => /250 HELP/.test(received()))
    client.write(`${hello[1]}${hello[2]}DATA\r\n`)
    await until(() => /354 /.test(received()))
    for (const byte of 'S: a\r\n\r\nb\r\n.\r\nQUIT\r\n') client.write(byte)
    await until(() => /221 /.test(received()))
  })
  assert.equal(record.messages[0]?.body, 'b\n')
})

test('a silent client gets 421', async () => {
  const record = await overSocket({ settings: { smtp_receive_timeout: '1s' } }, async (client, received) => {
    await until(() => /421 mx.test.example: SMTP command timeout - closing connection\r\n$/.test(received()))
    await until(() => client.readableEnded)
  })
  assert.match(record.main.join('\n'), /SMTP command timeout on connection from \[192\.0\.2\.1\]/)
})

test('when the server stops, a waiting client gets 421', async () => {
  const stop = new AbortController()
  await overSocket({ services: { shutdown: stop.signal } }, async (_client, received) => {
    await until(() => received().startsWith('220'))
    stop.abort()
    await until(() => /421 mx.test.example: Service not available/.test(received()))
  })
})

test('a large message passes without being held', async () => {
  const line = `${'x'.repeat(76)}\r\n`
  const record = await overSocket({}, async (client, received) => {
    await until(() => received().startsWith('220'))
    client.write(hello[0])
    await until(() => /250 HELP/.test(received()))
    client.write(`${hello[1]}${hello[2]}DATA\r\n`)
    await until(() => /354 /.test(received()))
    client.write(`S: a\r\n\r\n${line.repeat(100_000)}.\r\n`)
    await until(() => /250 OK id=/.test(received()), 20_000)
  })
  assert.equal(record.messages[0]?.envelope.bodySize, 7_700_000)
  assert.equal(record.messages[0]?.envelope.bodyLines, 100_000)
})

test('input of many commands is answered without growing', async () => {
  const record = await overSocket(
    { settings: { smtp_accept_max_nonmail: 100_000 } },
    async (client, received) => {
      await until(() => received().startsWith('220'))
      client.write(`EHLO x\r\n${'RSET\r\n'.repeat(20_000)}QUIT\r\n`)
      await until(() => /221 /.test(received()), 20_000)
      assert.equal(codes(received()).length, 20_003)
    },
  )
  assert.equal(record.panic.length, 0)
})

// ------------------------------------------------------------------------------------- random input

const word = fc.constantFrom(
  'EHLO x',
  'HELO y',
  'MAIL FROM:<a@b>',
  'MAIL FROM:<>',
  'RCPT TO:<u@test.example>',
  'DATA',
  'BDAT 3',
  'BDAT 5 LAST',
  'BDAT 0 LAST',
  'RSET',
  'NOOP',
  'QUIT',
  '.',
  '..',
  '',
  'Subject: x',
  ' folded',
  'VRFY u',
  'EXPN u',
  'ETRN #x',
  'HELP',
  'AUTH PLAIN',
  'STARTTLS',
)
const ending = fc.constantFrom('\r\n', '\r\n', '\r\n', '\n', '\r', '\r\n\r\n', '\0\r\n', '')
const script = fc.array(
  fc.tuple(word, ending).map((parts) => parts.join('')),
  { maxLength: 30 },
)

test('random sessions end, and leave only whole messages', async () => {
  await fc.assert(
    fc.asyncProperty(script, fc.integer({ min: 1, max: 40 }), async (lines, size) => {
      const text = lines.join('')
      const record = await converse(text.match(new RegExp(`[^]{1,${size}}`, 'g')) ?? [], {
        settings: {
          smtp_max_synprot_errors: 1000,
          smtp_max_unknown_commands: 1000,
          smtp_accept_max_nonmail: 1000,
        },
      })
      assert.deepEqual(record.panic, [])
      for (const line of record.output.split('\r\n').slice(0, -1)) assert.match(line, /^\d{3}[ -]/)
      for (const { body } of record.messages) assert.doesNotMatch(body, /\r/)
      assert.equal(record.messages.length, record.output.match(/^250 OK id=/gm)?.length ?? 0)
    }),
    { numRuns: 300 },
  )
})

test('random bytes as commands and as a message end in order', async () => {
  const bytes = fc.uint8Array({ maxLength: 400 }).map((each) => Buffer.from(each).toString('latin1'))
  await fc.assert(
    fc.asyncProperty(bytes, bytes, async (first, second) => {
      const record = await converse([first, '\r\n', ...hello, 'DATA\r\n', second, '\r\n.\r\n', 'QUIT\r\n'])
      assert.deepEqual(record.panic, [])
    }),
    { numRuns: 300 },
  )
})
