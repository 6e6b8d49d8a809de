/** Dates as headers carry them. Source: RFC 5322 section 3.3. */

const days = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'] as const
const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'] as const

/** `Tue, 24 Nov 2026 02:41:09 +0000`, in the zone of the process. */
export function headerDate(milliseconds: number): string {
  const date = new Date(milliseconds)
  const zone = -date.getTimezoneOffset()
  const sign = zone < 0 ? '-' : '+'
  const ahead = Math.abs(zone)
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
  return (
    `${days[date.getDay()] ?? ''}, ${two(date.getDate())} ${months[date.getMonth()] ?? ''} ` +
    `${date.getFullYear()} ${time} ${sign}${two(Math.floor(ahead / 60))}${two(ahead % 60)}`
  )
}

function two(value: number): string {
  return value < 10 ? `0${value}` : `${value}`
}
