/** Reads what `-bp` prints. */
export interface ListedMessage {
  readonly age: string
  readonly size: string
  readonly id: string
  readonly sender: string
  readonly frozen: boolean
  readonly recipients: readonly { readonly address: string; readonly done: boolean }[]
}

export function* readListing(text: string): Iterable<ListedMessage> {
  let message: (ListedMessage & { recipients: { address: string; done: boolean }[] }) | undefined
  for (const line of text.split('\n')) {
    const head =
      /^\s*(\d+[mhdw])\s+(\d+(?:\.\d+)?[KMG]?)\s+(\S+)\s+(?:\(\S+\)\s+)?<(.*?)>(\s+\*\*\* frozen \*\*\*)?/.exec(
        line,
      )
    if (head !== null) {
      if (message !== undefined) yield message
      const [, age = '', size = '', id = '', sender = '', frozen] = head
      message = { age, size, id, sender, frozen: frozen !== undefined, recipients: [] }
      continue
    }
    const recipient = /^\s+(\+?D\s)?\s*(\S+)\s*$/.exec(line)
    if (recipient !== null)
      message?.recipients.push({ address: recipient[2] ?? '', done: recipient[1] !== undefined })
  }
  if (message !== undefined) yield message
}

/** `2.9K` in bytes. */
export function bytesOf(size: string): number {
  const [, number = '0', unit = ''] = /^([\d.]+)([KMG]?)$/.exec(size) ?? []
  return Math.floor(Number(number) * 1024 ** ({ '': 0, K: 1, M: 2, G: 3 }[unit] ?? 0))
}

/** `3h` in seconds. */
export function secondsOf(age: string): number {
  return Number.parseInt(age, 10) * ({ m: 60, h: 3600, d: 86_400, w: 604_800 }[age.slice(-1)] ?? 60)
}
