import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fetchDebian } from '../../support/debian.ts'
import { repository, until } from '../../support/server.ts'
import { assertShown, type Changing } from '../page.ts'
import { atEnd, compose, logged, shell, type Walk, waitMs, write } from '../world.ts'

const swaks = () => fetchDebian(['swaks', 'libnet-dns-perl', 'libnet-ssleay-perl'])

export const firstMessage: Walk = {
  needs: [swaks],
  async walk(page) {
    const fetched = swaks()
    assert.ok('root' in fetched)
    const npm = page.take('npm start').trim()
    const shown = page.take('listens on')
    const child = spawn('bash', ['-c', `exec ${npm}`], {
      cwd: repository,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
      env: { ...process.env, USER: 'root' },
    })
    let said = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes) => (said += String(bytes)))
    const end = (): void => {
      try {
        process.kill(-(child.pid ?? 0), 'SIGTERM')
      } catch {
        // It has ended.
      }
    }
    atEnd(end)
    assert.ok(await until(() => (said.includes('swaks') ? true : undefined), waitMs), said)
    const here: Changing = [
      [/\/srv\/postern\b/, '\\S+'],
      [/running as [\w-]+/, 'running as \\S+'],
    ]
    assertShown(shown, said, here)
    const swaksLine = /swaks --server .*/.exec(shown)?.[0] ?? ''
    const program = join(fetched.root, 'usr/bin/swaks')
    const given = await shell(
      `PERL5LIB=${join(fetched.root, 'usr/share/perl5')} perl ${program} ${swaksLine.replace(/^swaks /, '')} --from a@b.example`,
    )
    assert.equal(given.status, 0, given.all)
    const folder = join(repository, 'postern-data')
    const log = page.take('<= a@b.example')
    await logged(
      log,
      [
        [/H=localhost \(\S+\)/, 'H=\\S*(?: \\(\\S+\\))?'],
        [/P=esmtp\b/, 'P=esmtps?(?: X=\\S+)?'],
      ],
      join(folder, 'logs'),
    )
    assert.ok(
      existsSync(join(folder, 'mail/root/new')) && readdirSync(join(folder, 'mail/root/new')).length === 1,
    )
    end()
    await new Promise((resolve) => child.once('exit', resolve))

    const own = page.take('bin/postern -C exim.conf').trim()
    write(
      join(repository, 'exim.conf'),
      compose({
        main: 'primary_hostname = mx.example.org\nacl_smtp_rcpt = accept\nhost_lookup =\n',
        routers:
          'elsewhere:\n  driver = manualroute\n  route_list = * 127.0.0.1::9\n  self = send\n  transport = remote_smtp\n',
        transports: 'remote_smtp:\n  driver = smtp\n',
        retry: '* * F,1h,15m\n',
      }),
    )
    const other = spawn('bash', ['-c', `exec ${own}`], { cwd: repository, stdio: 'ignore' })
    atEnd(() => void other.kill('SIGTERM'))
    const sent = await until(async () => {
      const tried = await shell(
        `PERL5LIB=${join(fetched.root, 'usr/share/perl5')} perl ${program} --server 127.0.0.1:2525 --from b@b.example --to a@b.example`,
      )
      return tried.status === 0 ? true : undefined
    }, waitMs)
    assert.equal(sent, true)
    await logged(page.take('Connection refused'))
  },
}
