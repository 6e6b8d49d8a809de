/** Dates in mbox files and records, in the time zone of the process. */

const days = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat']
const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** `Tue Nov 24 02:40:13 2026`: the date in an mbox From line (`$tod_bsdinbox`). */
export function mboxDate(at: number): string {
  const d = new Date(at)
  return `${days[d.getDay()]} ${months[d.getMonth()]} ${two(d.getDate())} ${clock(d)} ${d.getFullYear()}`
}

function clock(d: Date): string {
  return `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`
}

function two(n: number): string {
  return n < 10 ? `0${n}` : `${n}`
}

/** `2026-11-24 02:40:13`. */
export function logDate(at: number): string {
  const d = new Date(at)
  return `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())} ${clock(d)}`
}
