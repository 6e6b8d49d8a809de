/** docs/guide/install.md, followed to the letter in a root into which the package has been installed with npm. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { until } from '../support/server.ts'
import { assertShown, type Changing, commandOf, Page } from '../guide/page.ts'
import type { Machine } from './root.ts'

export interface InstallPage {
  readonly root: string
  readonly machine: Machine
  /** Puts the package in its place again, as `npm install -g postern` does with the registry's. */
  readonly npmInstall: () => void
  readonly fact: (what: string, holds: boolean, seen: string) => void
}

export async function followInstallPage({ root, machine, npmInstall, fact }: InstallPage): Promise<void> {
  const page = new Page('install.md')
  /** No systemd runs in the root: what is said to it is passed over. */
  const type = (block: string, expect: readonly number[] = [0]): string => {
    let all = ''
    for (const line of block.trim().split('\n')) {
      if (line.startsWith('systemctl ')) continue
      if (line.startsWith('npm install ')) {
        npmInstall()
        continue
      }
      const { status, out, err } = machine.run(['sh', '-c', line])
      fact(
        `install.md: ${line}`,
        status !== null && expect.includes(status),
        `exit code ${status}\n${out}${err}`,
      )
      all += out + err
    }
    return all
  }
  const shows = (what: string, block: string, seen: string, more: Changing = []): void => {
    let problem = ''
    try {
      assertShown(block, seen, more)
    } catch (error) {
      problem = error instanceof Error ? error.message : String(error)
    }
    fact(`install.md: ${what} is as shown`, problem === '', problem)
  }

  const installed = type(page.take('postern install --dry-run'))
  const steps = page.take('make the group postern: done')
  // A root without systemd has no service to be enabled.
  const enabled = machine.run(['sh', '-c', 'command -v systemctl']).status === 0
  shows('what install tells', enabled ? steps : steps.replace(/^enable .*\n/m, ''), installed, [
    [/\bv\d+\.\d+\.\d+/, 'v[\\d.]+'],
  ])
  type(page.take('--as-sendmail'))
  const back = page.take('postern uninstall', '--purge')

  const health = page.take('postern health')
  machine.feed(['postern', '-bd', '-q1m'], '')
  const healthy = await until(() => {
    const { status, out } = machine.run(['sh', '-c', commandOf(health).command])
    return status === 0 ? out : undefined
  }, 60_000)
  shows('health', commandOf(health).prints, healthy ?? 'unhealthy')
  type(page.take('--as-exim'))
  const called = machine.run(['exim', '-bV'])
  fact(
    'install.md: exim -bV is ours',
    called.status === 0 && called.out.startsWith('Exim version'),
    called.out + called.err,
  )

  type(page.take('postern version --check'))
  const conf = join(root, 'etc/postern/postern.conf')
  const text = readFileSync(conf, 'utf8')
  const lines = text.split('\n')
  const held = [...lines.slice(0, 11), 'hold_domains = slow.example', ...lines.slice(11)].join('\n')
  writeFileSync(conf, lines.slice(0, 11).every((line) => !line.startsWith('begin')) ? held : text)
  const since = machine.run(['sh', '-c', 'postern version --check /etc/postern/postern.conf --from 0.0.9'])
  shows('a change of meaning', page.take('hold_domains'), since.out, [
    [/\b1 change between/, '\\d+ changes? between'],
  ])
  const [record = '', after = ''] = page.take('--record', '--against').split('\n\n')
  const [first = '', second = '', against = ''] = record.trim().split('\n')
  type(`${first}\n${second}`)
  const meaning = join(root, 'root/meaning.json')
  const told = JSON.parse(readFileSync(meaning, 'utf8')) as {
    settings: Record<string, string>
    withoutEffect: string[]
  }
  told.settings['main smtp_accept_queue'] = 'smtp_accept_queue = 5'
  told.withoutEffect.push('smtp_banner')
  writeFileSync(meaning, JSON.stringify(told))
  shows('two meanings', after, type(against, [1]))
  writeFileSync(conf, text)

  const [keeping = '', purging = ''] = back.trim().split('\n')
  const kept = type(keeping)
  fact(
    'install.md: uninstall stops the daemon',
    /^stop the daemon, process \d+, which systemd did not start: done$/m.test(kept),
    kept,
  )
  type(purging)
  page.end()
}
