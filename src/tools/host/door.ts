/** The one place of `postern install` and `uninstall` that touches the host. A door: files, and the tools of the system. */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { readPidFile } from '../../server/pid-file.ts'
import { inRoot } from './layout.ts'

export interface Owner {
  readonly uid: number
  readonly gid: number
}

/** A host, or the folder that will become the root of one. Paths are those of the running system. */
export class HostDoor {
  readonly #prefix: string

  constructor(prefix: string) {
    this.#prefix = prefix
  }

  /** True on the host itself: users, services and dpkg are real here. */
  get live(): boolean {
    return this.#prefix === '/'
  }

  at(path: string): string {
    return inRoot(this.#prefix, path)
  }

  /** Undefined: nothing has this name. Links are not followed. */
  kind(path: string): 'file' | 'folder' | 'link' | 'other' | undefined {
    const stat = lstatSync(this.at(path), { throwIfNoEntry: false })
    if (stat === undefined) return undefined
    if (stat.isSymbolicLink()) return 'link'
    return stat.isFile() ? 'file' : stat.isDirectory() ? 'folder' : 'other'
  }

  target(path: string): string | undefined {
    return this.kind(path) === 'link' ? readlinkSync(this.at(path)) : undefined
  }

  read(path: string): string | undefined {
    return this.kind(path) === 'file' ? readFileSync(this.at(path), 'utf8') : undefined
  }

  /** Whole or not at all: written beside its place and renamed. */
  write(path: string, text: string, mode: number): void {
    const there = this.at(path)
    mkdirSync(dirname(there), { recursive: true })
    const beside = `${there}.postern-new`
    rmSync(beside, { force: true })
    writeFileSync(beside, text, { mode, flag: 'wx' })
    chmodSync(beside, mode)
    renameSync(beside, there)
  }

  makeFolder(path: string, mode: number, owner: Owner | undefined): void {
    const there = this.at(path)
    mkdirSync(there, { recursive: true })
    if (owner !== undefined && process.geteuid?.() === 0) chownSync(there, owner.uid, owner.gid)
    chmodSync(there, mode)
  }

  link(path: string, target: string): void {
    const there = this.at(path)
    mkdirSync(dirname(there), { recursive: true })
    if (lstatSync(there, { throwIfNoEntry: false })?.isSymbolicLink() === true) unlinkSync(there)
    symlinkSync(target, there)
  }

  rename(from: string, to: string): void {
    renameSync(this.at(from), this.at(to))
  }

  remove(path: string): undefined {
    rmSync(this.at(path), { force: true })
  }

  removeTree(path: string): undefined {
    rmSync(this.at(path), { recursive: true, force: true })
  }

  has(program: string): boolean {
    return ['/usr/sbin', '/usr/bin', '/sbin', '/bin'].some((folder) => existsSync(`${folder}/${program}`))
  }

  /** Runs a tool of the system. Undefined when it succeeded, else the sentence. */
  run(program: string, ...words: string[]): string | undefined {
    const done = spawnSync(program, words, {
      encoding: 'utf8',
      timeout: 120_000,
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' },
    })
    if (done.status === 0) return undefined
    const said = done.error?.message ?? done.stderr.trim().split('\n').at(-1) ?? ''
    return `${program} ${words.join(' ')}: ${said === '' ? `exit code ${done.status ?? done.signal}` : said}`
  }

  /** The process that a pid file names, when it is there and runs a program of this name. */
  process(
    pidFile: string,
    program: string,
  ): { readonly pid: number; readonly underSystemd: boolean } | undefined {
    const pid = readPidFile(this.at(pidFile))
    if (pid === undefined) return undefined
    const told = (file: string): string => {
      try {
        return readFileSync(`/proc/${pid}/${file}`, 'latin1')
      } catch {
        return ''
      }
    }
    const runs = told('cmdline')
      .split('\0')
      .some((word) => word.split('/').at(-1) === program)
    return runs ? { pid, underSystemd: told('cgroup').includes('.service') } : undefined
  }

  /** Asks a process to end and waits for it; the sentence why it is still there, else undefined. */
  endProcess(pid: number, patienceMs: number): string | undefined {
    const there = (signal: 'SIGTERM' | 0): boolean => {
      try {
        return process.kill(pid, signal)
      } catch {
        return false
      }
    }
    const turn = new Int32Array(new SharedArrayBuffer(4))
    const end = Date.now() + patienceMs
    for (there('SIGTERM'); there(0); Atomics.wait(turn, 0, 0, 100))
      if (Date.now() > end) return `process ${pid} has not ended within ${patienceMs / 1000} seconds`
    return undefined
  }

  /** `name:x:uid:gid:` of a file such as /etc/passwd in the root that is installed into. */
  entry(file: '/etc/passwd' | '/etc/group', name: string): readonly string[] | undefined {
    const line = (this.read(file) ?? '').split('\n').find((each) => each.startsWith(`${name}:`))
    return line?.split(':')
  }
}

export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
