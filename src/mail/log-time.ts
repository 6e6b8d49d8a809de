/** The time stamp of a log line: `2026-11-24 02:40:06`. Source: Exim manual, "log_timezone", selector "millisec". */
import type { ByteString } from '../base/text.ts'

/** The main options of these names. */
export interface LogTimeSettings {
  readonly timezone: ByteString | undefined
  readonly log_timezone: boolean
}

/** @param milliseconds since 1970 */
export function logTime(milliseconds: number, settings: LogTimeSettings, withMilliseconds: boolean): string {
  const ahead = settings.timezone === 'UTC' ? 0 : -new Date(milliseconds).getTimezoneOffset()
  const text = new Date(milliseconds + ahead * 60_000).toISOString().replace('T', ' ')
  const zone = settings.log_timezone ? ` ${ahead < 0 ? '-' : '+'}${hoursMinutes(Math.abs(ahead))}` : ''
  return text.slice(0, withMilliseconds ? 23 : 19) + zone
}

function hoursMinutes(minutes: number): string {
  const two = (value: number): string => String(Math.floor(value)).padStart(2, '0')
  return two(minutes / 60) + two(minutes % 60)
}
