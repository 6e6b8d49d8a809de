/** Runs filters as `-bf` does, on one message. */
import { testFilters } from '../../src/flow/routing/filter/test-filter.ts'
import { splitHeaders } from '../../src/mail/header.ts'
import type { Context } from '../../src/ports.ts'
import { createWorld } from './routing-world.ts'

export const filterConfiguration = `primary_hostname = mta.example
qualify_domain = x.example
begin routers
all:
  driver = accept
  transport = box
begin transports
box:
  driver = appendfile
  file = /nonexistent
`
const headers = `From: Bill <bill@a.example>
To: me@x.example, You <you@x.example>
Subject: Hello world
Message-Id: <abc@def>
X-N: 5
X-Utf: =?utf-8?q?J=C3=BCrgen?=
Date: Sun, 29 Nov 2026 06:56:46 +0000
`
const body = 'Body line one\nline two\n'

/** The message that filters are tested with. */
export const filterMessage: string = `${headers}\n${body}`

const world = createWorld(filterConfiguration, { sender: 'root@x.example' })

function contextFor(): Context {
  const { context } = world
  const base = world.contextFor('bt').message
  if (base === undefined) throw new Error('no message')
  return {
    ...context,
    message: {
      ...base,
      headers: splitHeaders(headers),
      recipients: [{ address: 'root@x.example' }],
      body: { start: body.replaceAll('\n', ' '), end: '' },
      bodySize: body.length,
      bodyLines: 2,
      size: headers.length + 1 + body.length,
    },
    address: {
      localPart: 'root',
      domain: 'x.example',
      originalLocalPart: 'root',
      originalDomain: 'x.example',
      home: '/root',
    },
    delivery: { routerName: '', transportName: '', returnPath: 'root@x.example' },
  }
}

/** What `-bf` prints after its two first lines. */
export async function ourFilter(text: string): Promise<string> {
  const lines: string[] = []
  const out = (line: string): number => lines.push(line)
  await testFilters({ system: undefined, user: { name: 'x', text } }, contextFor(), {
    verbose: false,
    out,
    explain: () => undefined,
    complain: (line) => out(`exim: ${line}`),
  })
  return lines.slice(2).join('\n')
}
