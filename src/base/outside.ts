/** Words about texts that came from outside, where only the configuration's own may stand. */

/** `($domain came from outside; use $domain_data)`. */
export function outsideWords(origin: string | undefined): string {
  return `(${origin ?? 'outside data'} came from outside; ${replacement(origin)})`
}

/** What to write in place of a tainted variable. Source: Exim manual, "Tainted data". */
function replacement(origin: string | undefined): string {
  switch (origin) {
    case '$local_part':
      return 'use $local_part_data'
    case '$domain':
      return 'use $domain_data'
    case '$sender_address':
    case '$sender_address_local_part':
    case '$sender_address_domain':
      return 'use $sender_data or the result of a lookup'
    case '$sender_host_name':
    case '$sender_helo_name':
      return 'use $host_data or the result of a lookup'
    default:
      return 'use the result of a lookup that takes it as key'
  }
}

/** Whether a message tells of such a text. */
export function tellsOfOutside(message: string): boolean {
  return message.includes('came from outside') || /\btainted\b/i.test(message)
}
