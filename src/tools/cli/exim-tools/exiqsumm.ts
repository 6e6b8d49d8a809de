/** exiqsumm: sums up what `-bp` prints, by domain. Source: Exim manual, "Summarizing the queue"; form as that of Exim 4.96. */
import { text } from 'node:stream/consumers'
import type { Terminal } from '../terminal.ts'
import { bytesOf, type ListedMessage, readListing, secondsOf } from './queue-text.ts'

export const usage = `usage: exiqsumm [-a | -c] [-b] [-f] [-s] <LISTING, as mailq prints it
  -a   by the age of the oldest message    -b   bounces apart    -s   by sender, too
  -c   by the number of messages           -f   frozen apart
`

interface Sum {
  readonly name: string
  count: number
  bytes: number
  oldest: string
  newest: string
}

export async function run(words: readonly string[], terminal: Terminal): Promise<number> {
  const sums = new Map<string, Sum>()
  const total: Sum = { name: 'TOTAL', count: 0, bytes: 0, oldest: '', newest: '' }
  for (const message of readListing(await text(process.stdin))) {
    for (const { address, done } of message.recipients) {
      if (done) continue
      const name = nameOf(message, address, words)
      const sum = sums.get(name) ?? { name, count: 0, bytes: 0, oldest: '', newest: '' }
      sums.set(name, sum)
      for (const each of [sum, total]) add(each, message)
    }
  }
  const order = [...sums.values()].sort((a, b) => compare(a, b, words))
  terminal.out('\nCount  Volume  Oldest  Newest  Domain\n-----  ------  ------  ------  ------\n\n')
  for (const sum of order) terminal.out(`${lineOf(sum)}\n`)
  terminal.out(`${'-'.repeat(63)}\n${lineOf(total)}\n\n`)
  return 0
}

function nameOf(message: ListedMessage, address: string, words: readonly string[]): string {
  const domain = address.slice(address.lastIndexOf('@') + 1).toLowerCase()
  const sender = message.sender === '' ? '<>' : message.sender.slice(message.sender.lastIndexOf('@') + 1)
  let name = words.includes('-s') ? `${sender} > ${domain}` : domain
  if (words.includes('-b') && message.sender === '') name += ' (b)'
  if (words.includes('-f') && message.frozen) name += ' (f)'
  return name
}

function add(sum: Sum, { size, age }: ListedMessage): void {
  sum.count++
  sum.bytes += bytesOf(size)
  if (sum.oldest === '' || secondsOf(age) > secondsOf(sum.oldest)) sum.oldest = age
  if (sum.newest === '' || secondsOf(age) < secondsOf(sum.newest)) sum.newest = age
}

function compare(a: Sum, b: Sum, words: readonly string[]): number {
  const byName = a.name < b.name ? -1 : 1
  if (words.includes('-a')) return secondsOf(b.oldest) - secondsOf(a.oldest) || byName
  if (words.includes('-c')) return b.count - a.count || byName
  return byName
}

function lineOf({ count, bytes, oldest, newest, name }: Sum): string {
  const columns = [
    String(count).padStart(5),
    volume(bytes).padStart(6),
    oldest.padStart(6),
    newest.padStart(6),
  ]
  return `${columns.join('  ')}  ${name}`
}

function volume(bytes: number): string {
  if (bytes < 10_000) return String(bytes)
  return bytes < 10_000_000 ? `${Math.round(bytes / 1024)}KB` : `${Math.round(bytes / 1_048_576)}MB`
}
