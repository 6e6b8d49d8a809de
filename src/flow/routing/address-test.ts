/** `-bt`, `-bv`, `-bvs`: routes an address and tells about it in Exim's words. Source: Exim manual, "-bt", "-bv". */
import type { ByteString } from '../../base/text.ts'
import { parseAddress } from '../../mail/parse-address.ts'
import type { Context } from '../../ports.ts'
import type { RouteHost } from '../routed.ts'
import { ancestorsOf, topCandidate } from './candidate.ts'
import type { TakenAddress } from './finish.ts'
import { rewriteAddress } from './rewrite/rewrite-address.ts'
import { routeAddress, type Unrouted } from './route-address.ts'
import { percentHacked, type RouteEngine, walkAddresses } from './route-all.ts'
import type { Candidate, RoutingPurpose } from './types.ts'

export type AddressTestMode = 'bt' | 'bv' | 'bvs' | 'expn'

export interface AddressTested {
  readonly lines: readonly ByteString[]
  /** 0 good, 1 cannot be told now, 2 fails. */
  readonly exitCode: 0 | 1 | 2
}

/**
 * @param text one address as given on the command line
 * @param seen what the addresses before came to: it is marked when it comes again
 * @param verbose `-v`: a verification tells of all addresses that a redirection makes
 */
export type AddressTest = (
  text: ByteString,
  mode: AddressTestMode,
  context: Context,
  seen?: Set<ByteString>,
  verbose?: boolean,
) => Promise<AddressTested>

const purposes: Readonly<Record<AddressTestMode, RoutingPurpose>> = {
  bt: 'test',
  bv: 'verify-recipient',
  bvs: 'verify-sender',
  expn: 'expn',
}

export function createAddressTest(engine: RouteEngine): AddressTest {
  return async (text, mode, outer, seen = new Set(), verbose = false) => {
    const parsed = parseAddress(text, {
      allowUtf8Domains: outer.settings.allow_utf8_domains,
      stripTrailingDot: outer.settings.strip_trailing_dot,
    })
    if (parsed.is === 'error') return { lines: [`syntax error: ${parsed.message}`], exitCode: 2 }
    const sender = mode === 'bvs'
    const { qualifyDomain, qualifyRecipient, configuration } = outer.server
    const address =
      parsed.domain === '' ? `${parsed.address}@${sender ? qualifyDomain : qualifyRecipient}` : parsed.address
    const rewritten =
      configuration.rewrite.length === 0
        ? address
        : (await rewriteAddress(address, sender ? 'F' : 'T', configuration.rewrite, outer)).address
    const context: Context = { ...outer, verifyMode: mode === 'bv' ? 'R' : sender ? 'S' : '' }
    const tested = await (mode === 'expn'
      ? tellExpanded(rewritten, context, engine)
      : verbose || mode === 'bt'
        ? tellAll(rewritten, { mode, seen }, context, engine)
        : tellVerified(rewritten, mode, context, engine))
    if (mode === 'expn' || rewritten === address) return tested
    return { ...tested, lines: [`Address rewritten as: ${rewritten}`, ...tested.lines] }
  }
}

/** Verification follows a redirection only to a single child. */
async function tellVerified(
  address: ByteString,
  mode: AddressTestMode,
  context: Context,
  engine: RouteEngine,
): Promise<AddressTested> {
  const top = topCandidate({ address })
  let candidate: Candidate = top
  for (let depth = 0; depth <= 100; depth++) {
    const hacked = await percentHacked(candidate, context)
    if (hacked.is === 'defer') {
      const why: Unrouted = { ...hacked, is: 'deferred', router: undefined }
      return { lines: [cannotTell(address, why)], exitCode: 1 }
    }
    candidate = hacked.candidate
    const { result } = await routeAddress(candidate, { ...engine, purpose: purposes[mode], context })
    if (result.is === 'failed')
      return { lines: [`${address} failed to verify: ${result.message}`], exitCode: 2 }
    if (result.is === 'deferred') return { lines: [cannotTell(address, result)], exitCode: 1 }
    const only = result.is === 'redirected' && result.children.length === 1 ? result.children[0] : undefined
    if (only === undefined || only.is === 'taken') break
    candidate = only.candidate
  }
  return { lines: [`${address} verified`], exitCode: 0 }
}

function cannotTell(address: ByteString, { message }: Unrouted): ByteString {
  return `${address} cannot be resolved at this time: ${message}`
}

/** What the first router that takes the address makes of it, as lines of a reply to EXPN; of that nothing is routed. */
async function tellExpanded(
  address: ByteString,
  context: Context,
  engine: RouteEngine,
): Promise<AddressTested> {
  const hacked = await percentHacked(topCandidate({ address }), context)
  if (hacked.is === 'defer') return { lines: [`${address} cannot be resolved at this time`], exitCode: 1 }
  const { candidate } = hacked
  const { result, clone } = await routeAddress(candidate, { ...engine, purpose: purposes.expn, context })
  const own = `<${candidate.address}>`
  switch (result.is) {
    case 'failed':
      return { lines: [`${address} is undeliverable`], exitCode: 2 }
    case 'deferred':
      return { lines: [`${address} cannot be resolved at this time`], exitCode: 1 }
    case 'discarded':
      return { lines: [`mail to ${own} is discarded`], exitCode: 0 }
    case 'taken':
      return { lines: [own], exitCode: 0 }
    case 'redirected': {
      const children = result.children.map(
        (child) => `<${(child.is === 'candidate' ? child.candidate : child.address).address}>`,
      )
      return { lines: clone === undefined ? children : [own, ...children], exitCode: 0 }
    }
  }
}

async function tellAll(
  address: ByteString,
  { mode, seen }: { readonly mode: AddressTestMode; readonly seen: Set<ByteString> },
  context: Context,
  engine: RouteEngine,
): Promise<AddressTested> {
  const walk = await walkAddresses([topCandidate({ address })], context, { purpose: purposes[mode] }, engine)
  const lines: ByteString[] = []
  const routed: TakenAddress[] = []
  let exitCode: AddressTested['exitCode'] = 0
  for (const event of walk) {
    if (event.is === 'taken') {
      if (event.address.special === undefined) routed.push(event.address)
      else lines.push(...tellSpecial(event.address))
    } else if (event.is !== 'discarded') {
      const { candidate, result } = event
      const failed = result.is === 'failed'
      if (failed) exitCode = 2
      else if (exitCode === 0) exitCode = 1
      const verb = mode === 'bv' || mode === 'bvs' ? 'failed to verify' : 'is undeliverable'
      const says = `${candidate.address} ${verb}: ${result.message}`
      lines.push(failed ? says : cannotTell(candidate.address, result), ...parents(ancestorsOf(candidate)))
    }
  }
  // Exim shows what it queued for local transports before the rest, each list from its end.
  routed.reverse()
  for (const taken of [...routed.filter(isLocal), ...routed.filter((t) => !isLocal(t))]) {
    // As it is written: a domain in capitals is another one here.
    const key = `${taken.address} ${taken.uniqueKey}`
    lines.push(...tellTaken(taken, taken.ancestors.length > 0 && seen.has(key)))
    seen.add(key)
  }
  // What is thrown away is told of when nothing else came of the address.
  return { lines: lines.length === 0 ? [`mail to ${address} is discarded`] : lines, exitCode }
}

function isLocal({ transport }: TakenAddress): boolean {
  return transport?.driver !== 'smtp'
}

function parents(ancestors: readonly ByteString[]): ByteString[] {
  return ancestors.map((ancestor) => `    <-- ${ancestor}`)
}

function tellSpecial(taken: TakenAddress): ByteString[] {
  const shownAs = taken.special === 'reply' ? `mail ${taken.address.slice(1)}` : taken.address
  const head = `${taken.ancestors[0] ?? ''} -> ${shownAs}`
  if (taken.forbidden === true && taken.problem === undefined) return [`${head} *** forbidden ***`]
  return taken.problem === undefined
    ? [head, `  transport = ${taken.transport?.name}`]
    : [head, '*** Error in setting up pipe, file, or autoreply:', taken.problem]
}

function tellTaken(taken: TakenAddress, repeated: boolean): ByteString[] {
  const mark = repeated ? '   [duplicate, would not be delivered]' : ''
  const transport = taken.transport?.name ?? 'unset'
  return [
    `${taken.address}${mark}`,
    ...parents(taken.ancestors),
    `  router = ${taken.router.name}, transport = ${transport}`,
    ...tellHosts(taken.shown ?? taken.hosts),
  ]
}

/** Names and addresses in columns. */
function tellHosts(hosts: readonly (RouteHost & { readonly unusable?: true })[]): ByteString[] {
  const shownAddress = ({ address, unusable }: (typeof hosts)[number]): string | undefined =>
    unusable === true ? 'unknown' : address
  const nameWidth = Math.max(...hosts.map(({ name }) => name.length))
  const addressWidth = Math.max(...hosts.map((host) => shownAddress(host)?.length ?? 7))
  return hosts.map((host) => {
    const { name, port, mx, unusable } = host
    const address = shownAddress(host)
    const column =
      address === undefined
        ? ' '.repeat(addressWidth + 3)
        : ` [${address}]${' '.repeat(addressWidth - address.length)}`
    const details = [
      mx === undefined ? '' : ` MX=${mx}`,
      port === undefined ? '' : ` port=${port}`,
      unusable === true ? ' ** unusable **' : '',
    ]
    return `  host ${name.padEnd(nameWidth)}${column}${details.join('')}`
  })
}
