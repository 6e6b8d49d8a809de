/** A Dovecot of Debian's packages, unpacked and not installed. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { libraryPath } from './debian.ts'
import { until } from './server.ts'

export interface Dovecot {
  stop(): Promise<void>
}

/**
 * Started through doveconf: at its usual place this machine has none.
 * @param folder for its configuration and sockets, `run` in it for the latter
 * @param configuration beside where things are
 * @param ready what is there once it runs
 */
export async function startDovecot(
  root: string,
  folder: string,
  configuration: string,
  ready: string,
): Promise<Dovecot | { readonly missing: string }> {
  const at = (name: string): string => join(folder, name)
  const modules = `${root}/usr/lib/dovecot`
  const library = [libraryPath(root), modules, `${modules}/modules`, `${modules}/modules/old-stats`].join(':')
  for (const each of ['run', 'state']) mkdirSync(at(each))
  writeFileSync(
    at('dovecot.conf'),
    `base_dir = ${at('run')}
state_dir = ${at('state')}
log_path = ${at('dovecot.log')}
libexec_dir = ${modules}
mail_plugin_dir = ${modules}/modules
import_environment = LD_LIBRARY_PATH=${library}
ssl = no
default_internal_user = ${userInfo().username}
default_internal_group = ${spawnSync('id', ['-gn'], { encoding: 'utf8' }).stdout.trim()}
default_login_user = ${process.getuid?.() === 0 ? 'nobody' : userInfo().username}
service anvil {
  chroot =
  user = ${userInfo().username}
}
${configuration}`,
  )
  const [master, file] = [`${root}/usr/sbin/dovecot`, at('dovecot.conf')]
  const child: ChildProcess = spawn(
    `${root}/usr/bin/doveconf`,
    ['-f', 'service=master', '-c', file, '-e', master, '-F', '-c', file],
    { env: { ...process.env, LD_LIBRARY_PATH: library }, stdio: ['ignore', 'ignore', 'pipe'] },
  )
  let said = ''
  child.stderr?.on('data', (bytes: Buffer) => (said += bytes.toString()))
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const up = await until(
    () => (existsSync(ready) ? true : child.exitCode === null ? undefined : false),
    15_000,
  )
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM')
    await gone
  }
  if (up === true) return { stop }
  const log = existsSync(at('dovecot.log')) ? readFileSync(at('dovecot.log'), 'utf8') : ''
  if (child.exitCode === null) await stop()
  return { missing: `Dovecot does not start here: ${said}${log}` }
}
