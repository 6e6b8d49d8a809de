import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { createLog, type LogFiles, type LogOptions } from './log-files.ts'

const at = Date.UTC(2026, 10, 24, 2, 40, 6, 465)

function withLog(options: Partial<LogOptions>, use: (log: LogFiles, folder: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), 'postern-log-'))
  const log = createLog({
    paths: [join(folder, '%slog')],
    selector: '',
    writeRejectLog: true,
    timezone: false,
    utc: true,
    pid: 4711,
    now: () => at,
    ...options,
    ...(options.jsonPath === undefined ? {} : { jsonPath: join(folder, options.jsonPath) }),
  })
  try {
    use(log, folder)
  } finally {
    log.close()
    rmSync(folder, { recursive: true })
  }
}
const read = (folder: string, name: string): string => readFileSync(join(folder, name), 'latin1')

test('a main log line has a time stamp, the message id and the text', () => {
  withLog({}, (log, folder) => {
    log.main('1xVgRy-0002TN-1V', '<= a@b U=root P=local S=433')
    log.main(undefined, 'Start queue run: pid=1')
    log.flush()
    assert.equal(
      read(folder, 'mainlog'),
      '2026-11-24 02:40:06 1xVgRy-0002TN-1V <= a@b U=root P=local S=433\n2026-11-24 02:40:06 Start queue run: pid=1\n',
    )
  })
})

test('millisec, pid and log_timezone stand where Exim puts them', () => {
  withLog({ selector: '+millisec +pid', timezone: true }, (log, folder) => {
    log.main(undefined, 'x')
    log.flush()
    assert.equal(read(folder, 'mainlog'), '2026-11-24 02:40:06.465 +0000 [4711] x\n')
  })
})

test('a rejection goes to main and reject log, its headers to the reject log alone', () => {
  withLog({}, (log, folder) => {
    log.reject('1xVgRy-0002TN-1V', 'F=<a@b> rejected after DATA: bad', {
      detail: ['Envelope-from: <a@b>', 'P Received: from x\n\tby y\n', '  Subject: x\n'],
    })
    log.reject(undefined, 'rejected RCPT <c@d>', { reject: false })
    log.flush()
    const line = '2026-11-24 02:40:06 1xVgRy-0002TN-1V F=<a@b> rejected after DATA: bad\n'
    assert.equal(read(folder, 'mainlog'), `${line}2026-11-24 02:40:06 rejected RCPT <c@d>\n`)
    assert.equal(
      read(folder, 'rejectlog'),
      `${line}Envelope-from: <a@b>\nP Received: from x\n\tby y\n  Subject: x\n`,
    )
  })
})

test('a panic stands in the panic log and the main log', () => {
  withLog({}, (log, folder) => {
    log.panic(undefined, 'disk on fire')
    log.flush()
    for (const name of ['mainlog', 'paniclog'])
      assert.equal(read(folder, name), '2026-11-24 02:40:06 disk on fire\n')
  })
})

test('control characters and line ends from outside are shown, not written', () => {
  withLog({}, (log, folder) => {
    log.main(undefined, 'H=(a\n2026-11-24 02:40:06 forged\r\x1b[31m\0)')
    log.flush()
    assert.equal(
      read(folder, 'mainlog'),
      '2026-11-24 02:40:06 H=(a\\n2026-11-24 02:40:06 forged\\r\\033[31m\\000)\n',
    )
  })
})

test('%D names the file after the day', () => {
  withLog({ paths: [] }, (_, folder) => {
    const log = createLog({
      paths: [join(folder, '%slog-%D')],
      selector: '',
      writeRejectLog: true,
      timezone: false,
      utc: true,
      pid: 1,
      now: () => at,
    })
    log.main(undefined, 'x')
    log.close()
    assert.equal(read(folder, 'mainlog-20261124'), '2026-11-24 02:40:06 x\n')
  })
})

test('a renamed file is opened anew', () => {
  withLog({}, (log, folder) => {
    log.main(undefined, 'before')
    log.flush()
    renameSync(join(folder, 'mainlog'), join(folder, 'mainlog.1'))
    log.reopen()
    log.main(undefined, 'after')
    log.flush()
    assert.match(read(folder, 'mainlog'), /after\n$/)
    assert.match(read(folder, 'mainlog.1'), /before\n$/)
  })
})

test('the JSON twin has the fields and the deciding line', () => {
  withLog({ jsonPath: 'json' }, (log, folder) => {
    log.reject(undefined, 'rejected RCPT <\xc3\xa4@d>', {
      facts: { event: 'rejected', decidedBy: { name: 'acl_check_rcpt', file: '/etc/x', line: 12 } },
    })
    log.flush()
    assert.deepEqual(JSON.parse(readFileSync(join(folder, 'json'), 'utf8')), {
      time: '2026-11-24T02:40:06.465Z',
      pid: 4711,
      logs: ['main', 'reject'],
      text: 'rejected RCPT <ä@d>',
      event: 'rejected',
      decidedBy: { name: 'acl_check_rcpt', file: '/etc/x', line: 12 },
    })
  })
})
