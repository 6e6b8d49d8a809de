import assert from 'node:assert/strict'
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { standInSpamd } from '../../support/scanners.ts'
import { atEnd, boxes, forward, logged, mail, restart, type Walk } from '../world.ts'

const accepting = {
  main: 'acl_smtp_rcpt = accept\nhost_lookup =\n',
  routers: boxes.routers ?? '',
  transports: boxes.transports ?? '',
}

export const scanning: Walk = {
  async walk(page) {
    mkdirSync('/run/clamav', { recursive: true })
    const clamd = await streaming('/run/clamav/clamd.ctl')
    const viruses = page.take('av_scanner = clamd', 'deny malware')
    await restart(accepting, { main: viruses })
    const found = await mail({
      to: 'u@here.example',
      helo: 'client.test',
      from: 'a@b.test',
      text: 'Subject: x\n\nEICAR here',
    })
    assert.equal(found.code, 550)
    await logged(page.take('Eicar-Signature'))
    assert.equal((await mail({ to: 'u@here.example' })).code, 250)
    await clamd()
    await mail({ to: 'u@here.example', helo: 'client.test', from: 'a@b.test' })
    await logged(page.take('unable to connect'))

    const spamd = await standInSpamd()
    atEnd(() => spamd.close())
    await forward(783, spamd.port)
    const spam = page.take('spamd_address', 'spam = nobody:true')
    await restart(accepting, { main: `acl_smtp_data = at_data\n${spam}` })
    assert.equal(
      (await mail({ to: 'u@here.example', text: 'Subject: x\n\nSCORE:13.2' })).text,
      '550 This message scored 13.2 spam points\r\n',
    )
    assert.equal((await mail({ to: 'u@here.example', text: 'Subject: x\n\nSCORE:1.0' })).code, 250)
    const away = page.take('failed to connect to any address')
    await restart(accepting, {
      main: `acl_smtp_data = at_data\n${spam.replace('127.0.0.1 783', '127.0.0.1 784')}`,
    })
    await mail({ to: 'u@here.example' })
    await logged(away)

    const mime = page.take('acl_smtp_mime', 'decode = default')
    await restart(accepting, { main: mime })
    const attached = (name: string, text: string): string =>
      `Subject: x\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: application/octet-stream\nContent-Disposition: attachment; filename=${name}\n\n${text}\n--b--`
    const evil = await mail({
      to: 'u@here.example',
      helo: 'client.test',
      from: 'a@b.test',
      text: attached('evil.exe', 'x'),
    })
    assert.equal(evil.text, '550 We do not take evil.exe\r\n')
    assert.equal(
      (await mail({ to: 'u@here.example', text: attached('other', 'MZ x') })).text,
      '550 Programs are not accepted\r\n',
    )
    await logged(page.take('rejected during MIME ACL checks: We do not take'))
    await mail({
      to: 'u@here.example',
      from: 'a@b.test',
      text: `Subject: x\nContent-Type: multipart/mixed; boundary=b\n\n${'--b\nContent-Type: text/plain\n\nx\n'.repeat(10_050)}--b--`,
    })
    await logged(page.take('too many MIME parts'), [[/F=<a@b\.test>/, '(?:H=\\S.* )?F=<a@b\\.test>']])
  },
}

/** As clamd answers SCAN of a file by name. */
async function streaming(path: string): Promise<() => Promise<void>> {
  const read = (file: string): string =>
    !existsSync(file)
      ? ''
      : statSync(file).isDirectory()
        ? readdirSync(file)
            .map((name) => read(join(file, name)))
            .join('')
        : readFileSync(file, 'latin1')
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined)
    socket.once('data', (bytes) => {
      const file = /\s(\/\S+)/.exec(String(bytes))?.[1] ?? ''
      socket.end(read(file).includes('EICAR') ? `${file}: Eicar-Signature FOUND\n` : `${file}: OK\n`)
    })
  })
  await new Promise<void>((resolve) => server.listen(path, resolve))
  chmodSync(path, 0o777)
  return () =>
    new Promise(
      (resolve) =>
        void server.close(() => {
          rmSync(path, { force: true })
          resolve()
        }),
    )
}
