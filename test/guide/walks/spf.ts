import assert from 'node:assert/strict'
import { assertShown } from '../page.ts'
import { until } from '../../support/server.ts'
import {
  commandLine,
  dns,
  logged,
  logs,
  mail,
  readIfThere,
  restart,
  shell,
  type Walk,
  waitMs,
} from '../world.ts'

const lists = {
  main: 'domainlist local_domains = here.example\nhost_lookup =\nspool_directory = /var/spool/postern\n',
}
const box = {
  routers: 'local:\n  driver = accept\n  transport = box\n',
  transports: 'box:\n  driver = appendfile\n  file = /home/bill/box\n  user = bill\n',
}

export const spf: Walk = {
  hostname: 'mx.example',
  async walk(page) {
    const txt = (text: string) => [{ type: 'TXT', data: [text] }]
    await dns({
      'good.example TXT': txt('v=spf1 ip4:127.0.0.1 -all'),
      'bad.example TXT': txt('v=spf1 -all exp=why.bad.example'),
      'why.bad.example TXT': txt('%{i} is none of our hosts'),
      'broken.example TXT': txt('v=spf1 ipv4:192.0.2.1 -all'),
      'down.example TXT': 'servfail',
      'example.com TXT': txt('v=spf1 ip4:192.0.2.1 -all'),
      'guess.example A': [{ type: 'A', data: '127.0.0.9' }],
    })
    const configuration = page.take('spf = fail', 'log_selector = +spf +spf_verbose')
    await restart({ main: configuration }, lists, box)
    const from = (domain: string) => mail({ from: `a@${domain}`, to: 'u@here.example' })
    assert.equal((await from('good.example')).code, 250)
    await logged(page.take('SPF: pass'))
    await logged('Completed')
    assertShown(page.take('Received-SPF: pass'), readIfThere('/home/bill/box').replaceAll(/\n\s+/g, ' '))
    assert.equal((await from('bad.example')).code, 550)
    await logged(page.take('is none of our hosts'))
    assert.equal((await from('broken.example')).code, 250)
    assert.equal((await from('down.example')).code, 451)
    await logged(page.take('permerror mfrom=broken.example'))

    const guess = page.take('spf_guess = *')
    await restart(
      {
        main: configuration.replace(
          '  require domains',
          `  ${guess.trim().replace('\n', '\n  ')}\n  require domains`,
        ),
      },
      lists,
      box,
    )
    await from('guess.example')
    await logged('=> u <u@here.example>')
    await until(() => (/^X-SPF-Guess/m.test(readIfThere('/home/bill/box')) ? true : undefined), waitMs)
    assert.match(readIfThere('/home/bill/box'), /^X-SPF-Guess: pass/m, logs())

    const line = commandLine(page.take('${lookup{someone@example.com}spf'))
    const asWritten = await shell(line)
    assert.equal(asWritten.out.trim(), 'pass', asWritten.all)
  },
}
