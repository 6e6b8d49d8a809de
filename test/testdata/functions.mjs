// Functions for test/functions.test.ts: what ${fn{name}{argument}...} may call.
export function greet(name) {
  return `hello ${name}`
}
export const join = { arguments: [0, 8], call: (...values) => values.slice(0, -1).join('+') }
export const wait = {
  arguments: 1,
  timeoutMs: 5000,
  async call(ms) {
    await new Promise((resolve) => setTimeout(resolve, Number(ms)))
    return 'waited'
  },
}
export const clean = { arguments: 1, trusted: true, call: (text) => text.replace(/[^a-z]/g, '') }
export const origins = { arguments: [1, 8], call: (...all) => all.at(-1).values.map(({ origin }) => origin ?? '-').join(' ') }
export const nothing = { arguments: 0, call: () => undefined }
export const broken = { arguments: 0, call: () => { throw new Error('it broke') } }
export const strange = { arguments: 0, call: () => ({}) }
export const bytes = { arguments: 0, call: () => new Uint8Array([0xff, 0x41]) }
export const forever = { arguments: 0, timeoutMs: 100, call: () => { for (;;); } }
export const notAFunction = 7
export const ends = { arguments: 0, call: () => process.exit(3) }
