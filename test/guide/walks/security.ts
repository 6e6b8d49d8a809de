import assert from 'node:assert/strict'
import { until } from '../../support/server.ts'
import { boxes, logs, mail, readIfThere, restart, session, waitMs, type Walk } from '../world.ts'

export const security: Walk = {
  async walk(page) {
    const limits = page.take('smtp_accept_max_per_host', 'received_headers_max')
    const results = page.take('remove_header = Authentication-Results')
    await restart({ main: limits }, { main: results }, boxes)
    const said = await session(['FOO', 'FOO', 'FOO', 'FOO'])
    assert.match(said.at(-1)?.text ?? '', /^500 Too many unrecognized commands/)
    const { code } = await mail({
      to: 'bill@here.example',
      text: 'Authentication-Results: mx.example.org; dmarc=pass\r\nFrom: a@far.example\r\nSubject: x\r\n\r\nhello',
    })
    assert.equal(code, 250, logs())
    const box = await until(() => /^From [^]*hello/.exec(readIfThere('/home/bill/box'))?.[0], waitMs)
    assert.match(box ?? '', /^Authentication-Results: mx\.example\.org; none$/m)
    assert.doesNotMatch(box ?? '', /dmarc=pass/)
  },
}
