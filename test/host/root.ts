/** A fresh Debian root made by debootstrap, and a place of its own (mounts, processes, network) to run programs in it. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { fetchDebian } from '../support/debian.ts'

export interface Ran {
  readonly status: number | null
  readonly out: string
  readonly err: string
}

export function run(
  program: string,
  words: readonly string[],
  options: { cwd?: string; ms?: number } = {},
): Ran {
  const done = spawnSync(program, words, {
    encoding: 'utf8',
    timeout: options.ms ?? 120_000,
    maxBuffer: 1 << 26,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: { ...process.env, LC_ALL: 'C' },
  })
  return { status: done.status, out: done.stdout ?? '', err: done.error?.message ?? done.stderr }
}

/** Like `run`; a failure ends the whole. */
export function must(
  program: string,
  words: readonly string[],
  options: { cwd?: string; ms?: number } = {},
): string {
  const { status, out, err } = run(program, words, options)
  if (status !== 0)
    throw new Error(`${program} ${words.join(' ')}: exit code ${status}\n${err}${out.slice(-2000)}`)
  return out
}

/** debootstrap's smallest bookworm, with the Node of this machine at /usr/bin/node. */
export function makeRoot(root: string): void {
  const fetched = fetchDebian(['debootstrap'])
  if ('missing' in fetched) throw new Error(fetched.missing)
  const archive = process.env.POSTERN_TEST_DEBIAN ?? 'http://deb.debian.org/debian'
  const packages = join(fetched.root, 'archives')
  mkdirSync(packages, { recursive: true })
  const script = join(fetched.root, 'usr/sbin/debootstrap')
  // What it mounts goes with its own mount namespace, also when it is ended in the middle.
  must(
    'unshare',
    [
      ...['--mount', '--pid', '--fork', '--kill-child', '--mount-proc'],
      ...['env', `DEBOOTSTRAP_DIR=${join(fetched.root, 'usr/share/debootstrap')}`, 'sh', script],
      ...['--variant=minbase', `--cache-dir=${packages}`, 'bookworm', root, archive],
    ],
    { ms: 400_000 },
  )
  // Debian's own Node is older than the one Postern needs.
  copyFileSync(process.execPath, join(root, 'usr/bin/node'))
  for (const line of must('ldd', [process.execPath]).split('\n')) {
    const library = /(\/\S+) \(0x/.exec(line)?.[1]
    if (library === undefined || existsSync(join(root, library))) continue
    mkdirSync(dirname(join(root, library)), { recursive: true })
    copyFileSync(library, join(root, library))
  }
}

/** Each file below: kind, mode, owner, and the sha256 of what it holds or where it points. */
export function listFiles(root: string): Map<string, string> {
  const found = new Map<string, string>()
  const walk = (folder: string): void => {
    for (const name of readdirSync(join(root, folder))) {
      const path = join(folder, name)
      const stat = lstatSync(join(root, path))
      const holds = stat.isSymbolicLink()
        ? `-> ${readlinkSync(join(root, path))}`
        : stat.isFile()
          ? createHash('sha256')
              .update(readFileSync(join(root, path)))
              .digest('hex')
          : stat.isDirectory()
            ? 'folder'
            : `device ${stat.rdev}`
      found.set(path, `${(stat.mode & 0o7777).toString(8)} ${stat.uid}:${stat.gid} ${holds}`)
      if (stat.isDirectory()) walk(path)
    }
  }
  walk('/')
  return found
}

/** Mounts, process numbers and a network of its own: all of it ends with `end`. */
export class Machine {
  readonly #root: string
  readonly #holder: ChildProcess
  readonly #pid: string

  private constructor(root: string, holder: ChildProcess, pid: string) {
    this.#root = root
    this.#holder = holder
    this.#pid = pid
  }

  static async start(root: string): Promise<Machine> {
    // SIOCGIFFLAGS, SIOCSIFFLAGS: the loopback interface is brought up without iproute2. Then it is process 1: it reaps.
    const first = `use Socket; socket(my $s, PF_INET, SOCK_DGRAM, 0) or die $!;
      my $r = pack("a16 x24", "lo"); ioctl($s, 0x8913, $r) or die $!;
      my $f = unpack("x16 s", $r) | 1; $r = pack("a16 s x22", "lo", $f); ioctl($s, 0x8914, $r) or die $!;
      $SIG{CHLD} = "IGNORE"; $| = 1; print "ready\\n"; sleep 1 for 1 .. 1200;`
    const holder = spawn(
      'unshare',
      [
        ...['--mount', '--pid', '--net', '--fork', '--kill-child', `--mount-proc=${join(root, 'proc')}`],
        ...['perl', '-e', first],
      ],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    )
    let said = ''
    holder.stderr.on('data', (bytes) => {
      said += String(bytes)
    })
    await new Promise<void>((resolve, reject) => {
      holder.stdout.once('data', () => resolve())
      holder.once('exit', (code) => reject(new Error(`unshare ended with ${code}: ${said}`)))
    })
    const children = readFileSync(`/proc/${holder.pid}/task/${holder.pid}/children`, 'utf8')
    return new Machine(root, holder, children.trim())
  }

  /** Words of a command that runs in the root; as an ordinary user when `uid` is given. */
  inside(words: readonly string[], uid = 0): string[] {
    return [
      ...['nsenter', '-t', this.#pid, '-m', '-p', '-n'],
      ...['chroot', `--userspec=${uid}:${uid}`, ...(uid === 0 ? [] : ['--groups=']), this.#root],
      ...[
        'env',
        '-i',
        'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
        'HOME=/',
        ...words,
      ],
    ]
  }

  run(words: readonly string[], uid = 0): Ran {
    const [program = '', ...rest] = this.inside(words, uid)
    return run(program, rest)
  }

  /** With something on standard input, and nobody who reads what a daemon that stays behind would hold open. */
  feed(words: readonly string[], input: string, uid = 0): number | null {
    const [program = '', ...rest] = this.inside(words, uid)
    return spawnSync(program, rest, { input, timeout: 60_000, stdio: ['pipe', 'ignore', 'inherit'] }).status
  }

  /** A program of this repository, with this network alone. */
  beside(...words: string[]): ChildProcess {
    return spawn('nsenter', ['-t', this.#pid, '-n', process.execPath, ...words], {
      stdio: ['ignore', 'inherit', 'inherit'],
    })
  }

  async end(): Promise<void> {
    if (this.#holder.exitCode !== null || this.#holder.signalCode !== null) return
    const gone = new Promise((resolve) => this.#holder.once('exit', resolve))
    process.kill(Number(this.#pid), 'SIGKILL')
    await gone
  }
}

export function removeRoot(folder: string): void {
  const mounted = readFileSync('/proc/mounts', 'utf8').includes(` ${folder}`)
  if (mounted) throw new Error(`something is still mounted below ${folder}: it is left`)
  rmSync(folder, { recursive: true, force: true })
}
