/** Variables of the time of day, in the time zone of the configuration. */
import type { Context } from '../../../ports.ts'
import type { Environment } from '../environment.ts'
import type { VariableRow } from '../rows.ts'
import { trusted } from './kinds.ts'

const days = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat']
const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

const two = (value: number) => String(value).padStart(2, '0')

/** A moment with how many minutes the zone is ahead of UTC. */
interface Moment {
  /** Its UTC fields are the wall clock of the zone. */
  readonly wall: Date
  readonly minutesAhead: number
}

/** The wall clock in the zone of the main option `timezone`; unset: the machine's. */
function momentAt(now: number, zone: string | undefined): Moment {
  const minutesAhead =
    zone === undefined || zone === ''
      ? -new Date(now).getTimezoneOffset()
      : /^utc$/i.test(zone)
        ? 0
        : minutesAheadIn(zone, now)
  return { wall: new Date(now + minutesAhead * 60_000), minutesAhead }
}

function minutesAheadIn(zone: string, now: number): number {
  try {
    const format = new Intl.DateTimeFormat('en-US', { timeZone: zone, timeZoneName: 'longOffset' })
    const name = format.formatToParts(now).find((part) => part.type === 'timeZoneName')?.value ?? ''
    const match = /([+-])(\d{2}):(\d{2})/.exec(name)
    if (match === null) return 0
    return (Number(match[2]) * 60 + Number(match[3])) * (match[1] === '-' ? -1 : 1)
  } catch {
    // A name the system's tables do not hold: UTC, as the C library has it.
    return 0
  }
}

/** `Nov 29 07:18:48 2026 GMT`, in the time zone of the configuration. */
export function monthDayTime(at: number, { settings }: Context): string {
  const moment = momentAt(at, settings.timezone)
  const { wall } = moment
  const day = String(wall.getUTCDate()).padStart(2, ' ')
  return `${months[wall.getUTCMonth()] ?? ''} ${day} ${clock(moment)} ${wall.getUTCFullYear()} ${zoneName(at, moment, settings.timezone)}`
}

/** `CET`, where the tables have such a name. */
function zoneName(at: number, moment: Moment, zone: string | undefined): string {
  if (moment.minutesAhead === 0) return 'GMT'
  try {
    const format = new Intl.DateTimeFormat('en-GB', {
      timeZoneName: 'short',
      ...(zone === undefined || zone === '' ? {} : { timeZone: zone }),
    })
    const name = format.formatToParts(at).find((part) => part.type === 'timeZoneName')?.value ?? ''
    return /^[A-Z]{2,5}$/.test(name) ? name : offset(moment)
  } catch {
    return offset(moment)
  }
}

function offset({ minutesAhead }: Moment): string {
  const size = Math.abs(minutesAhead)
  return `${minutesAhead < 0 ? '-' : '+'}${two(Math.floor(size / 60))}${two(size % 60)}`
}

function clock({ wall }: Moment): string {
  return wall.toISOString().slice(11, 19)
}

function dashed({ wall }: Moment): string {
  return wall.toISOString().slice(0, 10)
}

/** `Tue, 24 Nov 2026 03:00:00 +0000`: RFC 5322 section 3.3. */
function full(moment: Moment): string {
  const { wall } = moment
  const day = days[wall.getUTCDay()] ?? ''
  const month = months[wall.getUTCMonth()] ?? ''
  return `${day}, ${two(wall.getUTCDate())} ${month} ${wall.getUTCFullYear()} ${clock(moment)} ${offset(moment)}`
}

const moment = ({ context }: Environment) => momentAt(context.ports.now(), context.settings.timezone)

export const timeVariables: readonly VariableRow[] = [
  trusted('tod_bsdinbox', 'The time as "From " lines of mailboxes have it.', (environment) => {
    const now = moment(environment)
    const { wall } = now
    const head = `${days[wall.getUTCDay()] ?? ''} ${months[wall.getUTCMonth()] ?? ''} ${two(wall.getUTCDate())}`
    return `${head} ${clock(now)} ${wall.getUTCFullYear()}`
  }),
  trusted('tod_epoch', 'Seconds since 1970.', (e) => Math.floor(e.context.ports.now() / 1000)),
  trusted('tod_epoch_l', 'Microseconds since 1970.', (e) => e.context.ports.now() * 1000),
  trusted('tod_full', 'The time as headers have it.', (e) => full(moment(e))),
  trusted('tod_log', 'The time as log lines have it.', (environment) => {
    const now = moment(environment)
    const zone = environment.context.settings.log_timezone ? ` ${offset(now)}` : ''
    return `${dashed(now)} ${clock(now)}${zone}`
  }),
  trusted('tod_logfile', 'The date as names of log files have it.', (e) =>
    dashed(moment(e)).replaceAll('-', ''),
  ),
  trusted('tod_zone', 'The time zone as an offset.', (e) => offset(moment(e))),
  trusted('tod_zulu', 'The time in UTC, year to second without marks, and a Z.', ({ context }) => {
    const iso = new Date(context.ports.now()).toISOString()
    return `${iso.slice(0, 19).replaceAll(/[-:T]/g, '')}Z`
  }),
]
