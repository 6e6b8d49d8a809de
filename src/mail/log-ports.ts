/** Which port numbers log lines show. Source: Exim manual of 4.100, main option "log_ports". */

/** @param items numbers, `*`, each with `!` before it when it is not shown; the first that fits decides */
export function portFilter(items: readonly string[]): (port: number) => boolean {
  const rules = items.flatMap((item) => {
    const [, not = '', what = ''] = /^(!?)\s*(\*|\d+)$/.exec(item.trim()) ?? []
    return what === '' ? [] : [{ shown: not === '', what }]
  })
  // As in all lists: when the last item is negated, what no item names is in the list.
  const otherwise = rules.at(-1)?.shown === false
  return (port) => rules.find(({ what }) => what === '*' || Number(what) === port)?.shown ?? otherwise
}

/** Items that are no port number. */
export function badPorts(items: readonly string[]): readonly string[] {
  return items.filter((item) => !/^!?\s*(?:\*|\d+)$/.test(item.trim()))
}
