/** Where addresses went, beside where a test expects them. */
import { decodeUtf8, type ByteString } from '../../../base/text.ts'
import type { RoutingResult } from '../../../flow/routed.ts'
import { compare, type Difference, type Matcher } from './expectation.ts'
import type { RouteExpectation } from './test-case.ts'

export function compareRoute(
  address: ByteString,
  expect: RouteExpectation,
  result: RoutingResult,
): Difference[] {
  const mine = <T extends { readonly recipient: { readonly address: ByteString } }>(
    all: readonly T[],
  ): readonly T[] => all.filter(({ recipient }) => recipient.address.toLowerCase() === address.toLowerCase())
  const routed = mine(result.routed)
  const what = (of: string): string => `${of} of ${decodeUtf8(address)}`
  const found: Difference[] = []
  const names = (all: readonly ByteString[]): ByteString =>
    all.length === 0 ? shownRoute(result).join('\n') : [...new Set(all)].join(', ')
  if (expect.router !== undefined)
    found.push(...compare(what('the router'), expect.router, names(routed.map(({ router }) => router.name))))
  if (expect.transport !== undefined)
    found.push(
      ...compare(
        what('the transport'),
        expect.transport,
        names(routed.map(({ transport }) => transport.name)),
      ),
    )
  if (expect.hosts !== undefined) {
    const hosts = routed.flatMap(({ hosts: each }) => each.map(({ name, address: ip }) => ({ name, ip })))
    const right =
      hosts.length === expect.hosts.length &&
      expect.hosts.every((matcher, index) => {
        const host = hosts[index]
        return (
          host !== undefined &&
          (matcher.matches(host.name) ||
            matcher.matches(host.ip ?? '') ||
            matcher.matches(`${host.name} [${host.ip ?? ''}]`))
        )
      })
    if (!right)
      found.push({
        what: what('the hosts'),
        expected: listed(expect.hosts),
        found: hosts.map(({ name, ip }) => `${name} [${ip ?? ''}]`).join(', '),
        at: expect.at,
      })
  }
  if (expect.to !== undefined) {
    const addresses = routed.map(({ address: one }) => one)
    if (!sameSet(expect.to, addresses))
      found.push({
        what: what('the addresses'),
        expected: listed(expect.to),
        found: addresses.join(', '),
        at: expect.at,
      })
  }
  const trouble = (is: 'failed' | 'deferred'): ByteString =>
    mine(result.unrouted)
      .filter((one) => one.is === is)
      .map(({ message }) => message)
      .join('\n')
  if (expect.fails !== undefined)
    found.push(...compareTrouble(what('the failure'), expect.fails, trouble('failed'), result))
  if (expect.defers !== undefined)
    found.push(...compareTrouble(what('the deferral'), expect.defers, trouble('deferred'), result))
  if (expect.discarded !== undefined && expect.discarded !== mine(result.discarded).length > 0)
    found.push({
      what: what('what becomes'),
      expected: expect.discarded ? 'discarded' : 'not discarded',
      found: shownRoute(result).join('\n'),
      at: expect.at,
    })
  return found
}

function compareTrouble(
  what: string,
  matcher: Matcher,
  text: ByteString,
  result: RoutingResult,
): Difference[] {
  return text === ''
    ? [{ what, expected: matcher.says, found: shownRoute(result).join('\n'), at: matcher.at }]
    : compare(what, matcher, text)
}

export function sameSet(matchers: readonly Matcher[], found: readonly ByteString[]): boolean {
  return (
    found.length === matchers.length && matchers.every((matcher) => found.some((one) => matcher.matches(one)))
  )
}

export function listed(matchers: readonly Matcher[]): string {
  return matchers.map(({ says }) => says).join(', ')
}

export function shownRoute({ routed, unrouted, discarded }: RoutingResult): string[] {
  return [
    ...routed.map(
      ({ address, router, transport, hosts }) =>
        `${address} goes to ${transport.name} by ${router.name}${hosts.map(({ name, address: ip }) => ` ${name} [${ip ?? ''}]`).join('')}`,
    ),
    ...unrouted.map(({ address, is, message }) => `${address} ${is}: ${message}`),
    ...discarded.map(({ address, routerName }) => `${address} is discarded by ${routerName}`),
  ].map(decodeUtf8)
}
