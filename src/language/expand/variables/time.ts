/** Variables of the time of day, in the time zone of the configuration. */
import type { Environment } from '../environment.ts'
import type { VariableRow } from '../rows.ts'
import { trusted } from './kinds.ts'

const days = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat']
const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

const two = (value: number) => String(value).padStart(2, '0')

function offset(date: Date): string {
  const minutes = -date.getTimezoneOffset()
  const size = Math.abs(minutes)
  return `${minutes < 0 ? '-' : '+'}${two(Math.floor(size / 60))}${two(size % 60)}`
}

function clock(date: Date): string {
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
}

function dashed(date: Date): string {
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
}

/** `Tue, 24 Nov 2026 03:00:00 +0000`: RFC 5322 section 3.3. */
export function fullDate(date: Date): string {
  const day = days[date.getDay()] ?? ''
  const month = months[date.getMonth()] ?? ''
  return `${day}, ${two(date.getDate())} ${month} ${date.getFullYear()} ${clock(date)} ${offset(date)}`
}

const now = ({ context }: Environment) => new Date(context.ports.now())

export const timeVariables: readonly VariableRow[] = [
  trusted('tod_bsdinbox', 'The time as "From " lines of mailboxes have it.', (environment) => {
    const date = now(environment)
    const head = `${days[date.getDay()] ?? ''} ${months[date.getMonth()] ?? ''} ${two(date.getDate())}`
    return `${head} ${clock(date)} ${date.getFullYear()}`
  }),
  trusted('tod_epoch', 'Seconds since 1970.', (e) => Math.floor(e.context.ports.now() / 1000)),
  trusted('tod_epoch_l', 'Microseconds since 1970.', (e) => e.context.ports.now() * 1000),
  trusted('tod_full', 'The time as headers have it.', (e) => fullDate(now(e))),
  trusted('tod_log', 'The time as log lines have it.', (environment) => {
    const date = now(environment)
    const zone = environment.context.settings.log_timezone ? ` ${offset(date)}` : ''
    return `${dashed(date)} ${clock(date)}${zone}`
  }),
  trusted('tod_logfile', 'The date as names of log files have it.', (e) =>
    dashed(now(e)).replaceAll('-', ''),
  ),
  trusted('tod_zone', 'The time zone as an offset.', (e) => offset(now(e))),
  trusted('tod_zulu', 'The time in UTC, as HTTP-like names have it.', (environment) => {
    const iso = now(environment).toISOString()
    return `${iso.slice(0, 19).replaceAll(/[-:T]/g, '')}Z`
  }),
]
