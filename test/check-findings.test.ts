/** What `postern check` finds in planted defects, at the right line and column; and that it cries no wolf. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { renderDiagnostic } from '../src/base/diagnostic-frame.ts'
import { type Diagnostic, locate } from '../src/base/diagnostic.ts'
import { defaultConfiguration } from '../src/server/default-configuration.ts'
import { firstConfiguration } from '../src/tools/host/texts.ts'
import { checkAll } from '../src/tools/inspect/check-all.ts'
import { debianConfiguration, debianRoot, debianTypes } from './support/debian-configuration.ts'
import { plantedDefects } from './support/planted-defects.ts'
import { postern } from './support/server.ts'

async function check(text: string): Promise<readonly Diagnostic[]> {
  const folder = mkdtempSync(join(tmpdir(), 'postern-check-'))
  try {
    const file = join(folder, 'exim.conf')
    writeFileSync(file, text, { encoding: 'latin1', mode: 0o644 })
    const checked = await checkAll({ files: [file] })
    assert.equal(checked.is, 'checked')
    return checked.is === 'checked' ? checked.found : []
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** Line and column, from 1, of the mark, and the text without it. */
function marked(text: string): { readonly text: string; readonly at: string } {
  const index = text.indexOf('¦')
  const before = text.slice(0, index)
  const line = before.split('\n').length
  return {
    text: text.replace('¦', ''),
    at: `${line}:${index - before.lastIndexOf('\n')}`,
  }
}

test('there are at least 60 planted defects', () => {
  assert.ok(plantedDefects.length >= 60, `${plantedDefects.length}`)
})

for (const { code, severity, text: planted, help } of plantedDefects) {
  const { text, at } = marked(planted)
  const line = planted.split('\n').find((each) => each.includes('¦')) ?? ''
  test(`${code}: ${line.trim()}`, async () => {
    const found = await check(text)
    const shown = found.map(renderDiagnostic).join('\n\n')
    const [first, ...others] = found
    assert.ok(first !== undefined, 'nothing was found')
    assert.deepEqual([first.code, first.severity, first.at && place(first)], [code, severity, at], shown)
    if (help !== undefined) assert.match(first.help ?? '', help)
    assert.deepEqual(others.map(renderDiagnostic), [], shown)
  })
}

function place({ at }: Diagnostic): string {
  if (at === undefined) return ''
  const { line, column } = locate(at)
  return `${line}:${column}`
}

/** A host without /etc/aliases, and an option that has no effect yet, are told truly. */
const known = ({ code }: Diagnostic): boolean =>
  code !== 'option-pending' && (code !== 'file-missing' || existsSync('/etc/aliases'))

async function assertQuiet(text: string): Promise<void> {
  const found = (await check(text)).filter(known).map(renderDiagnostic)
  assert.deepEqual(found, [])
}

const debian = debianRoot()
const skip = 'missing' in debian ? debian.missing : false
const root = 'root' in debian ? debian.root : ''

test("no false alarm: Exim's default configuration", { skip }, async () => {
  await assertQuiet(readFileSync(join(root, 'usr/share/doc/exim4-base/examples/example.conf'), 'latin1'))
})

for (const type of debianTypes) {
  test(`no false alarm: Debian's configuration of type ${type}`, { skip }, async () => {
    await assertQuiet(debianConfiguration(root, type, true))
  })
}

test('no false alarm: the configurations that Postern brings', async () => {
  await assertQuiet(firstConfiguration())
  await assertQuiet(
    defaultConfiguration({ data: '/tmp', address: '127.0.0.1', port: 2525, uid: 8, gid: 8, starter: 'root' }),
  )
})

test('--json: places, helps and counts for editors', () => {
  const folder = mkdtempSync(join(tmpdir(), 'postern-check-'))
  try {
    const file = join(folder, 'exim.conf')
    writeFileSync(file, 'AA = ${lcc:x}\nsmtp_banner = AA\n')
    const done = spawnSync(postern, ['check', '--json', file], { encoding: 'utf8' })
    assert.equal(done.status, 1)
    const said = JSON.parse(done.stdout) as {
      errors: number
      findings: { code: string; at: { line: number; column: number }; macros: string[] }[]
    }
    assert.equal(said.errors, 1)
    assert.deepEqual(
      said.findings.map(({ code, at, macros }) => [code, at.line, macros]),
      [['operator-unknown', 2, ['AA']]],
    )
  } finally {
    rmSync(folder, { recursive: true })
  }
})
