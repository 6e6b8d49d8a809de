/** Port numbers of service names that are not among the well-known ones. A door: it reads /etc/services. */
import { readFileSync } from 'node:fs'

export function servicePort(name: string): number | undefined {
  let text: string
  try {
    text = readFileSync('/etc/services', 'latin1')
  } catch {
    return undefined
  }
  for (const line of text.split('\n')) {
    const [first, port, ...aliases] = line.replace(/#.*/, '').trim().split(/\s+/)
    if (port?.endsWith('/tcp') === true && (first === name || aliases.includes(name)))
      return Number.parseInt(port, 10)
  }
  return undefined
}
