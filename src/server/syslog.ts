/**
 * Log lines to syslog, split as Exim splits them. Source: Exim manual, "Logging to syslog"; RFC 3164 section 4.1.
 */
import { openPosix } from '../base/posix.ts'
import { toBytes, type ByteString } from '../base/text.ts'

export interface SyslogOptions {
  /** `syslog_facility`: a name such as `mail` or `local3`; undefined: mail. */
  readonly facility: string | undefined
  /** `syslog_processname`. */
  readonly processName: string
  /** Undefined without `syslog_pid`. */
  readonly pid: number | undefined
  /** `syslog_timestamp`: false takes the time off each line. */
  readonly timestamp: boolean
  readonly now: () => Date
}

export type SyslogWriter = (log: 'main' | 'reject' | 'panic', text: ByteString) => void

const severities = { main: 6, reject: 5, panic: 1 } as const
const facilities = [
  'kern',
  'user',
  'mail',
  'daemon',
  'auth',
  'syslog',
  'lpr',
  'news',
  'uucp',
  'cron',
  'authpriv',
  'ftp',
]
/** Data characters of one call. */
const longest = 870

/** A writer, or the sentence why there is none. */
export function openSyslog(options: SyslogOptions, path: string = '/dev/log'): SyslogWriter | string {
  const facility = facilityNumber(options.facility ?? 'mail')
  if (facility === undefined) return `syslog_facility "${options.facility}" is not a facility of syslog`
  const posix = openPosix()
  if (typeof posix === 'string') return `log_file_path names syslog: ${posix}`
  let socket = posix.openDatagram(path)
  const tag = `${options.processName}${options.pid === undefined ? '' : `[${options.pid}]`}`
  return (log, text) => {
    const line = options.timestamp
      ? text
      : text.replace(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{3})?(?: [+-]\d{4})? /, '')
    for (const part of splitForSyslog(line)) {
      const bytes = toBytes(`<${facility * 8 + severities[log]}>${syslogTime(options.now())} ${tag}: ${part}`)
      // A syslog daemon that was started anew has another socket.
      if ('error' in socket || socket.send(bytes) !== undefined) {
        if (!('error' in socket)) socket.close()
        socket = posix.openDatagram(path)
        if (!('error' in socket)) socket.send(bytes)
      }
    }
  }
}

/** Pieces of one entry, numbered when there are several: `[1/3] ` at a cut, `[1\3] ` before an own line end. */
export function splitForSyslog(entry: ByteString): ByteString[] {
  const pieces: { text: string; mark: '/' | '\\' }[] = []
  for (const line of entry.replace(/\n+$/, '').split('\n')) {
    for (let at = 0; at === 0 || at < line.length; at += longest) {
      const last = at + longest >= line.length
      pieces.push({ text: line.slice(at, at + longest), mark: last ? '\\' : '/' })
    }
  }
  const final = pieces.at(-1)
  if (pieces.length <= 1 || final === undefined) return pieces.map(({ text }) => text)
  // The last piece was not split at a line end of its own.
  final.mark = '/'
  return pieces.map(({ text, mark }, index) => `[${index + 1}${mark}${pieces.length}] ${text}`)
}

function facilityNumber(name: string): number | undefined {
  const plain = name.toLowerCase().replace(/^log_/, '')
  const local = /^local([0-7])$/.exec(plain)?.[1]
  if (local !== undefined) return 16 + Number(local)
  const number = facilities.indexOf(plain)
  return number === -1 ? undefined : number
}

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

function syslogTime(date: Date): string {
  const two = (value: number): string => String(value).padStart(2, '0')
  const day = String(date.getDate()).padStart(2)
  return `${months[date.getMonth()]} ${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
}
