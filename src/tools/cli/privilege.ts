/**
 * What a caller may do with a Postern that has more power than they have (installed behind a setuid launcher).
 * Source: Exim manual, "-C", "-D"; SECURITY.md, promise 13.
 */
import { buildValues } from '../../server/build-table.ts'
import { systemFiles } from '../../server/files.ts'

export interface PrivilegeQuestion {
  readonly realUid: number
  readonly effectiveUid: number
  /** Files of -C; empty: none given. */
  readonly configurationFiles: readonly string[]
  /** Names and values of -D. */
  readonly macros: readonly (readonly [string, string])[]
  /** Names of configuration files that keep privilege. */
  readonly trustedConfigurations: ReadonlySet<string>
}

/** True when this call must go on with the rights of its caller alone. */
export function mustGiveUpPrivilege(q: PrivilegeQuestion): boolean {
  if (q.realUid === q.effectiveUid || q.realUid === 0) return false
  const strange = q.configurationFiles.some(
    (file) => !buildValues.configurationFiles.includes(file) && !q.trustedConfigurations.has(file),
  )
  const harmless = ([name, value]: readonly [string, string]): boolean =>
    buildValues.macrosForAll.includes(name) && /^[A-Za-z0-9_/.-]*$/.test(value)
  return strange || !q.macros.every(harmless)
}

/** Goes on as the real user. */
export function giveUpPrivilege(): void {
  const uid = process.getuid?.()
  const gid = process.getgid?.()
  if (uid === undefined || gid === undefined) return
  process.setgid?.(gid)
  process.setuid?.(uid)
}

/** For commands that read what the caller names and need no more than the caller may: behind a setuid launcher. */
export function giveUpBorrowedPrivilege(): void {
  if (process.getuid?.() !== process.geteuid?.() || process.getgid?.() !== process.getegid?.())
    giveUpPrivilege()
}

/** Does something with the caller's own rights and takes the borrowed ones back. */
export function asCaller<T>(work: () => T): T {
  const [uid, gid, euid, egid] = [
    process.getuid?.(),
    process.getgid?.(),
    process.geteuid?.(),
    process.getegid?.(),
  ]
  if (uid === undefined || gid === undefined || euid === undefined || egid === undefined) return work()
  if (uid === euid && gid === egid) return work()
  process.setegid?.(gid)
  process.seteuid?.(uid)
  try {
    return work()
  } finally {
    process.seteuid?.(euid)
    process.setegid?.(egid)
  }
}

/** Variables that Node obeys before Postern begins, or when it ends: files written with the borrowed power. bin/postern removes others. */
const obeyedByNode = ['NODE_OPTIONS', 'NODE_V8_COVERAGE', 'NODE_REDIRECT_WARNINGS', 'NODE_DEBUG'] as const

/** With borrowed power, Node must not take orders from the caller's environment. */
export function refuseWhenPrivileged(): string | undefined {
  if (process.getuid?.() === process.geteuid?.() && process.getgid?.() === process.getegid?.())
    return undefined
  const found = obeyedByNode.find((name) => process.env[name] !== undefined)
  if (found !== undefined) return `${found} must not be set for a privileged call`
  if (process.execArgv.some((word) => word.startsWith('--inspect'))) {
    return 'a privileged call cannot be inspected by a debugger'
  }
  return undefined
}

/** Configuration files that keep privilege. Source: Exim manual, "-C" (TRUSTED_CONFIG_LIST). */
export function trustedConfigurations(): ReadonlySet<string> {
  const read = systemFiles.read(buildValues.trustedConfigurations, 1 << 20)
  const stat = systemFiles.stat(buildValues.trustedConfigurations)
  if ('error' in read || 'error' in stat || stat.uid !== 0 || (stat.mode & 0o022) !== 0) return new Set()
  const lines = read.bytes.split('\n').map((line) => line.trim())
  return new Set(lines.filter((line) => line.startsWith('/')))
}
