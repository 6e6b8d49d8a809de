/**
 * What Node lacks of POSIX, through the optional package koffi: locks, crypt(3), users and groups from NSS, datagrams
 * to a local socket. Whoever needs one of these asks `posixAvailable` when the configuration is read.
 */
import { createRequire } from 'node:module'
import { type ByteString, encodeUtf8 } from './text.ts'

export interface PosixUser {
  readonly name: string
  readonly uid: number
  readonly gid: number
  readonly gecos: ByteString
  readonly home: string
  readonly shell: string
}

export interface PosixGroup {
  readonly name: string
  readonly gid: number
  readonly members: readonly string[]
}

/** `busy`: another has the lock. Else the name of the error: `EBADF`. */
export type LockResult = 'locked' | 'busy' | { readonly error: string }

export interface Posix {
  /**
   * Takes or gives up an fcntl lock on a whole file, without waiting. The lock belongs to the open file, not to the
   * process: two deliveries of one process exclude each other, and both exclude other programs.
   */
  fcntlLock(fd: number, kind: 'read' | 'write' | 'unlock'): LockResult
  /** The same with flock(2). */
  flock(fd: number, kind: 'read' | 'write' | 'unlock'): LockResult
  /** crypt(3) in a thread of its own: it is slow on purpose. Undefined when the setting is not understood. */
  crypt(password: ByteString, setting: ByteString): Promise<ByteString | undefined>
  userByName(name: string): PosixUser | undefined
  userById(uid: number): PosixUser | undefined
  groupByName(name: string): PosixGroup | undefined
  groupById(gid: number): PosixGroup | undefined
  /** All groups of a user, as initgroups(3) would set them. */
  groupsOf(name: string, gid: number): readonly number[]
  /** Gives back to the system what the C library keeps of memory that was freed. */
  trimMemory(): void
  /** Sets the traffic class octet of what a socket sends, IPv4 or IPv6. Undefined when that went, else the name of the error. */
  setTrafficClass(fd: number, octet: number): string | undefined
  /** Connects to a datagram socket such as /dev/log; or the name of the error. */
  openDatagram(path: string): Datagram | { readonly error: string }
}

export interface Datagram {
  /** Sends without waiting. Undefined when it went, else the name of the error. */
  send(bytes: Uint8Array): string | undefined
  close(): void
}

/** Why there is no koffi here; undefined when there is. */
export function posixAvailable(): string | undefined {
  const loaded = loadKoffi()
  return typeof loaded === 'string' ? loaded : undefined
}

/** Why a shared library cannot be used here; undefined: it can. */
export function libraryMissing(name: string): string | undefined {
  const koffi = loadKoffi()
  if (typeof koffi === 'string') return koffi
  try {
    koffi.load(name).unload()
    return undefined
  } catch {
    return `there is no library ${name}`
  }
}

/** Loads the library: once for a process, by whoever plugs it together. Gives the reason when it cannot. */
export function openPosix(): Posix | string {
  const koffi = loadKoffi()
  if (typeof koffi === 'string') return koffi
  try {
    return bind(koffi)
  } catch (error) {
    return `the C library cannot be used: ${error instanceof Error ? error.message : String(error)}`
  }
}

type Koffi = typeof import('koffi')

/** The library itself, for a program that does nothing else; or why there is none. */
export function loadKoffi(): Koffi | string {
  if (process.platform !== 'linux') return `this needs Linux, and the system is ${process.platform}`
  try {
    // Loaded at run time: the package is optional, and its types are those of the module.
    return createRequire(import.meta.url)('koffi') as Koffi
  } catch (error) {
    const why = error instanceof Error ? error.message.split('\n', 1)[0] : String(error)
    return `the optional package koffi cannot be loaded: ${why}`
  }
}

// Values of Linux, the same on all machines that Node runs on.
const fOfdSetlk = 37
const lockNumbers = { read: 0, write: 1, unlock: 2 } as const
const flockNumbers = { read: 1, write: 2, unlock: 8 } as const
const lockNonBlocking = 4
const afUnix = 1
const sockDatagram = 2 | 0o2000000 // SOCK_DGRAM | SOCK_CLOEXEC
const sendFlags = 0x40 | 0x4000 // MSG_DONTWAIT | MSG_NOSIGNAL
const ipTos = { level: 0, option: 1 } // IPPROTO_IP, IP_TOS
const ipv6TrafficClass = { level: 41, option: 67 } // IPPROTO_IPV6, IPV6_TCLASS
const nssBytes = 64 * 1024
const cryptDataBytes = 128 * 1024

/** The parts of `struct passwd` and `struct group` as koffi gives them. */
interface PasswdStruct {
  pw_name: string
  pw_uid: number
  pw_gid: number
  pw_gecos: string | null
  pw_dir: string | null
  pw_shell: string | null
}

function bind(koffi: Koffi): Posix {
  const c = koffi.load('libc.so.6')
  const flockStruct = koffi.struct({
    l_type: 'int16',
    l_whence: 'int16',
    l_start: 'int64',
    l_len: 'int64',
    l_pid: 'int32',
  })
  const passwd = koffi.struct({
    pw_name: 'str',
    pw_passwd: 'str',
    pw_uid: 'uint32',
    pw_gid: 'uint32',
    pw_gecos: 'str',
    pw_dir: 'str',
    pw_shell: 'str',
  })
  const group = koffi.struct({ gr_name: 'str', gr_passwd: 'str', gr_gid: 'uint32', gr_mem: 'void *' })
  const out = (type: 'void *' | ReturnType<Koffi['struct']>): ReturnType<Koffi['out']> =>
    koffi.out(typeof type === 'string' ? 'void **' : koffi.pointer(type))

  const fcntl = c.func('fcntl', 'int', ['int', 'int', koffi.pointer(flockStruct)])
  const flock = c.func('flock', 'int', ['int', 'int'])
  const nss = (name: string, key: string, struct: typeof passwd): ReturnType<typeof c.func> =>
    c.func(name, 'int', [key, out(struct), 'void *', 'size_t', out('void *')])
  const getpwnam = nss('getpwnam_r', 'str', passwd)
  const getpwuid = nss('getpwuid_r', 'uint32', passwd)
  const getgrnam = nss('getgrnam_r', 'str', group)
  const getgrgid = nss('getgrgid_r', 'uint32', group)
  const getgrouplist = c.func('getgrouplist', 'int', ['str', 'uint32', 'void *', 'void *'])
  const socket = c.func('socket', 'int', ['int', 'int', 'int'])
  const connect = c.func('connect', 'int', ['int', 'void *', 'uint32'])
  const setsockopt = c.func('setsockopt', 'int', ['int', 'int', 'int', 'void *', 'uint32'])
  const mallocTrim = c.func('malloc_trim', 'int', ['size_t'])
  const send = c.func('send', 'long', ['int', 'void *', 'size_t', 'int'])
  const close = c.func('close', 'int', ['int'])
  const lastError = (): string => errorName(koffi, koffi.errno())

  const lockResult = (result: number): LockResult => {
    if (result === 0) return 'locked'
    const error = lastError()
    return error === 'EAGAIN' || error === 'EACCES' ? 'busy' : { error }
  }
  const user = (call: typeof getpwnam, key: string | number): PosixUser | undefined => {
    // koffi fills the object with the members of the struct.
    const found = {} as PasswdStruct
    if (!lookUp(call, key, found)) return undefined
    return {
      name: found.pw_name,
      uid: found.pw_uid,
      gid: found.pw_gid,
      gecos: encodeUtf8(found.pw_gecos ?? ''),
      home: found.pw_dir ?? '',
      shell: found.pw_shell ?? '',
    }
  }
  const groupOf = (call: typeof getgrnam, key: string | number): PosixGroup | undefined => {
    // As above. The member list points into the buffer, which must live until it is read.
    const found = {} as { gr_name: string; gr_gid: number; gr_mem: unknown }
    const buffer = lookUp(call, key, found)
    if (!buffer) return undefined
    const members: string[] = []
    for (let i = 0; i < 10_000; i++) {
      const [name] = koffi.decode(found.gr_mem, i * 8, koffi.array('str', 1)) as [string | null]
      if (name === null) break
      members.push(name)
    }
    return { name: found.gr_name, gid: found.gr_gid, members }
  }

  return {
    fcntlLock(fd, kind) {
      const lock = { l_type: lockNumbers[kind], l_whence: 0, l_start: 0, l_len: 0, l_pid: 0 }
      return lockResult(Number(fcntl(fd, fOfdSetlk, lock)))
    },
    flock: (fd, kind) => lockResult(Number(flock(fd, flockNumbers[kind] | lockNonBlocking))),
    crypt: (password, setting) => crypt(koffi, password, setting),
    userByName: (name) => (name.includes('\0') ? undefined : user(getpwnam, name)),
    userById: (uid) => user(getpwuid, uid),
    groupByName: (name) => (name.includes('\0') ? undefined : groupOf(getgrnam, name)),
    groupById: (gid) => groupOf(getgrgid, gid),
    groupsOf(name, gid) {
      const count = Buffer.alloc(4)
      const list = Buffer.alloc(4 * 65_536)
      count.writeInt32LE(65_536)
      if (name.includes('\0') || Number(getgrouplist(name, gid, list, count)) < 0) return [gid]
      return Array.from({ length: count.readInt32LE() }, (_, i) => list.readUInt32LE(i * 4))
    },
    trimMemory: () => void mallocTrim(0),
    setTrafficClass(fd, octet) {
      const value = Buffer.alloc(4)
      value.writeInt32LE(octet)
      const set = ({ level, option }: typeof ipTos): boolean =>
        Number(setsockopt(fd, level, option, value, value.length)) === 0
      // A socket of IPv6 may speak to a host of IPv4: there both count. One of IPv4 knows only the first.
      const four = set(ipTos)
      const six = set(ipv6TrafficClass)
      return four || six ? undefined : lastError()
    },
    openDatagram(path) {
      const name = Buffer.from(`${path}\0`)
      if (name.length > 108) return { error: 'ENAMETOOLONG' }
      const address = Buffer.concat([Buffer.from([afUnix, 0]), name])
      const fd = Number(socket(afUnix, sockDatagram, 0))
      if (fd < 0) return { error: lastError() }
      if (Number(connect(fd, address, address.length)) < 0) {
        const error = lastError()
        close(fd)
        return { error }
      }
      return {
        send: (bytes) => (Number(send(fd, bytes, bytes.length, sendFlags)) < 0 ? lastError() : undefined),
        close: () => void close(fd),
      }
    },
  }
}

/** Calls one of the `get..._r` functions; the buffer that holds the texts when something was found. */
function lookUp(
  call: (...args: unknown[]) => unknown,
  key: string | number,
  found: object,
): Buffer | undefined {
  const buffer = Buffer.alloc(nssBytes)
  const result: [unknown] = [null]
  const status = Number(call(key, found, buffer, buffer.length, result))
  return status === 0 && result[0] !== null ? buffer : undefined
}

function crypt(koffi: Koffi, password: ByteString, setting: ByteString): Promise<ByteString | undefined> {
  if (password.includes('\0') || setting.includes('\0')) return Promise.resolve(undefined)
  const library = koffi.load('libcrypt.so.1')
  const cryptR = library.func('crypt_r', 'str', ['void *', 'void *', 'void *'])
  const texts = [password, setting].map((text) => Buffer.from(`${text}\0`, 'latin1'))
  const data = Buffer.alloc(cryptDataBytes)
  return new Promise((resolve, reject) => {
    cryptR.async(...texts, data, (error: Error | null, result: string | null) => {
      if (error !== null) reject(error)
      // An unknown setting gives null, or a text that begins with `*` and matches nothing.
      else resolve(result === null || result.startsWith('*') ? undefined : result)
    })
  })
}

function errorName(koffi: Koffi, number: number): string {
  const names: Readonly<Record<string, number>> = koffi.os.errno
  return Object.entries(names).find(([, value]) => value === number)?.[0] ?? `errno ${number}`
}
