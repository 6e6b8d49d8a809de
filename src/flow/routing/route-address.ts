/** One address through the routers until one takes it. Source: Exim manual, "Router configuration" (chapter 3). */
import { isFailure } from '../../base/outcome.ts'
import { asciiLower, type ByteString, textOf } from '../../base/text.ts'
import { Turn } from '../../base/turn.ts'
import type { RouterInstance } from '../../language/config/configuration.ts'
import type { AddressFacts, Context, Trace } from '../../ports.ts'
import { refusalErrorsTo } from './assign.ts'
import { ancestorsOf, goingOn, unseenClone } from './candidate.ts'
import { finish, type Finished } from './finish.ts'
import { type RouterRun, type RouterSetup, runRouter } from './run-router.ts'
import type { Candidate, RouterVerdict, RouterWork } from './types.ts'
import { expandBoolean, isTrouble } from './values.ts'

export interface Unrouted {
  readonly is: 'failed' | 'deferred'
  readonly message: ByteString
  readonly userMessage?: ByteString | undefined
  readonly code?: string | undefined
  readonly errno?: number | undefined
  readonly freeze?: boolean | undefined
  readonly untold?: true | undefined
  readonly router: RouterInstance | undefined
  /** As log lines name it: as the router saw it, without the affixes that it took off. */
  readonly shown?: ByteString | undefined
}

export interface AddressRun {
  readonly candidate: Candidate
  readonly result: Finished | Unrouted
  /** The copy that `unseen` sends on, and the router it begins with. */
  readonly clone: Candidate | undefined
}

export function routeAddress(candidate: Candidate, setup: RouterSetup): Promise<AddressRun> {
  const trace = setup.context.trace?.begin('address', candidate.address)
  const routed = throughRouters(candidate, setup)
  return trace === undefined ? routed : shownLater(trace, routed)
}

function shownLater(trace: Trace, routed: Promise<AddressRun>): Promise<AddressRun> {
  return routed.then((run) => {
    trace.end(shown(run.result))
    return run
  })
}

function shown(result: Finished | Unrouted): ByteString {
  switch (result.is) {
    case 'taken': {
      const { router, transport, hosts } = result.address
      const names = hosts.map(({ name, address }) => `${name}${address === undefined ? '' : ` [${address}]`}`)
      return `router ${router.name}, transport ${transport?.name ?? ''}${names.length === 0 ? '' : `, hosts ${names.join(', ')}`}`
    }
    case 'redirected':
      return `redirected to ${result.children.map((child) => (child.is === 'candidate' ? child.candidate : child.address).address).join(', ')}`
    case 'discarded':
      return 'discarded'
    case 'failed':
    case 'deferred':
      return `${result.is}: ${result.message}`
  }
}

async function throughRouters(candidate: Candidate, setup: RouterSetup): Promise<AddressRun> {
  const { routers } = setup.services
  let last: LastRouter | undefined
  let why: ByteString | undefined
  let index = startIndex(candidate, routers)
  const turn = new Turn()
  while (index < routers.length) {
    const router = routers[index]
    if (router === undefined) break
    if (turn.overdue()) await turn.end()
    last = { router, facts: undefined }
    setup.context.debug?.('route', `--------> ${router.name} router <--------`)
    const trace = setup.context.trace?.begin('router', router.name, router.at)
    const run = await runRouter(router, candidate, setup)
    if (run.is === 'ran') last = { router, facts: run.work.facts }
    const step = await afterRun(run, router, candidate, setup)
    trace?.end(`${told(run, router)}${reasonOf(run)}`)
    setup.context.debug?.('route', told(run, router))
    if (step.is === 'end') return { candidate, result: step.result, clone: step.clone }
    why = declineMessage(run) ?? why
    if (step.is === 'no more') break
    index = step.jumpTo === undefined ? index + 1 : routerIndex(step.jumpTo, routers, index + 1)
  }
  const result = await unrouteable(last, why, candidate, setup)
  return { candidate, result, clone: undefined }
}

type Step =
  | { readonly is: 'next'; readonly jumpTo: string | undefined }
  | { readonly is: 'no more' }
  | { readonly is: 'end'; readonly result: Finished | Unrouted; readonly clone: Candidate | undefined }

const next: Step = { is: 'next', jumpTo: undefined }

async function afterRun(
  run: RouterRun,
  router: RouterInstance,
  candidate: Candidate,
  setup: RouterSetup,
): Promise<Step> {
  if (run.is === 'skipped') return next
  if (run.is === 'deferred') return unrouted({ is: 'deferred', message: run.message, router })
  const { verdict, work } = run
  switch (verdict.is) {
    case 'decline': {
      const more = await expandBoolean(router.settings.more, 'more', true, work)
      if (isTrouble(more)) return unrouted({ is: 'deferred', message: more.message, router })
      return more ? next : { is: 'no more' }
    }
    case 'pass':
      if (verdict.selfHostname !== undefined) candidate.selfHostname = verdict.selfHostname
      return { is: 'next', jumpTo: router.settings.pass_router }
    case 'fail':
    case 'defer':
      if (verdict.isConfigurationError === true) {
        setup.context.ports.log.panic(setup.context.message?.id, verdict.message)
      }
      if (verdict.is === 'fail') {
        const trouble = await tellOthers(work, candidate)
        if (trouble !== undefined) return unrouted({ is: 'deferred', message: trouble, router })
      }
      return unrouted(refused(verdict, work))
    default:
      return taken(verdict, work, candidate, setup)
  }
}

/** The router refuses the address itself. */
export function refused(
  verdict: RouterVerdict & { readonly is: 'fail' | 'defer' },
  { router, facts }: RouterWork,
): Unrouted {
  return {
    ...verdict,
    is: verdict.is === 'fail' ? 'failed' : 'deferred',
    router,
    shown: `${facts.localPart}@${facts.domain}`,
  }
}

/** A refused address is reported to `errors_to`; gives what is wrong with the option. */
async function tellOthers(work: RouterWork, candidate: Candidate): Promise<ByteString | undefined> {
  const errorsTo = await refusalErrorsTo(work)
  if (errorsTo !== undefined && isTrouble(errorsTo)) return errorsTo.message
  if (errorsTo !== undefined) candidate.errorsTo = errorsTo
  return undefined
}

/** The router takes the address: accepted, redirected or discarded. */
async function taken(
  verdict: RouterVerdict,
  work: RouterWork,
  candidate: Candidate,
  setup: RouterSetup,
): Promise<Step> {
  const { router } = work
  candidate.takenBy = router
  const failsVerification =
    verdict.is === 'assign' &&
    ((setup.purpose === 'verify-recipient' && failVerify(router, 'fail_verify_recipient')) ||
      (setup.purpose === 'verify-sender' && failVerify(router, 'fail_verify_sender')))
  if (failsVerification) {
    return unrouted({ is: 'failed', message: `${router.name} router forced verify failure`, router })
  }
  const result = await finish(verdict, work)
  if (result.is === 'deferred') return unrouted({ ...result, router })
  if (result.is === 'redirected' && result.refusal !== undefined) {
    // What the list or filter sets up beside is no concern of a verification.
    if (setup.purpose.startsWith('verify')) return unrouted(refused(result.refusal, work))
    if (result.refusal.is === 'fail') await tellOthers(work, candidate)
  }
  const unseen = await expandBoolean(router.settings.unseen, 'unseen', false, work)
  if (isTrouble(unseen)) return unrouted({ is: 'deferred', message: unseen.message, router })
  const goesOn = result.is === 'redirected' ? result.goesOn : undefined
  const following =
    unseen || goesOn !== undefined
      ? setup.services.routers[setup.services.routers.indexOf(router) + 1]
      : undefined
  if (following === undefined) return { is: 'end', result, clone: undefined }
  const clone = unseen
    ? unseenClone(candidate, following.name)
    : goingOn(candidate, { ...candidate }, following.name, goesOn)
  if (result.is === 'redirected' && unseen)
    return { is: 'end', result: belowOriginal(result, candidate), clone }
  if (result.is !== 'taken') return { is: 'end', result, clone }
  // The same address may be delivered again further down: the two are no duplicates.
  const uniqueKey = `${result.address.uniqueKey}/${router.name}`
  return {
    is: 'end',
    result: { is: 'taken', address: { ...result.address, ancestors: ancestorsOf(candidate), uniqueKey } },
    clone,
  }
}

/** Pipes and files beside an `unseen` copy come from the copy, and that from the address: so log lines show it. */
function belowOriginal(result: Finished & { readonly is: 'redirected' }, candidate: Candidate): Finished {
  const ancestors = [candidate.address, ...ancestorsOf(candidate)]
  const children = result.children.map((child) =>
    child.is === 'taken' ? { ...child, address: { ...child.address, ancestors } } : child,
  )
  return { ...result, children }
}

function failVerify(router: RouterInstance, name: 'fail_verify_recipient' | 'fail_verify_sender'): boolean {
  return router.setAt.has(name) ? router.settings[name] : router.settings.fail_verify
}

function unrouted(result: Unrouted): Step {
  return { is: 'end', result, clone: undefined }
}

function startIndex(candidate: Candidate, routers: readonly RouterInstance[]): number {
  return candidate.startAt === undefined ? 0 : routerIndex(candidate.startAt, routers, 0)
}

function routerIndex(name: string, routers: readonly RouterInstance[], otherwise: number): number {
  const index = routers.findIndex((router) => router.name === name)
  return index < 0 ? otherwise : index
}

/** A router that declines may say why: that goes with the address to the end. */
function declineMessage(run: RouterRun): ByteString | undefined {
  return run.is === 'ran' && run.verdict.is === 'decline' ? run.verdict.message : undefined
}

/** The router that was considered last, and how it saw the address if it ran. */
interface LastRouter {
  readonly router: RouterInstance
  readonly facts: AddressFacts | undefined
}

/** No router took it: the text of the router considered last. Source: Exim manual, "cannot_route_message". */
async function unrouteable(
  last: LastRouter | undefined,
  why: ByteString | undefined,
  candidate: Candidate,
  setup: RouterSetup,
): Promise<Unrouted> {
  if (why !== undefined) return { is: 'failed', message: why, router: undefined }
  const standard = 'Unrouteable address'
  const option = last?.router.settings.cannot_route_message
  if (last === undefined || option === undefined)
    return { is: 'failed', message: standard, router: undefined }
  const context: Context = {
    ...setup.context,
    captures: [],
    address: {
      ...(last.facts ?? { localPart: asciiLower(candidate.localPart), domain: candidate.domain }),
      ...(candidate.addressData !== undefined && { addressData: candidate.addressData }),
      routerVariables: candidate.routerVariables,
    },
    delivery: { ...setup.context.delivery, routerName: last.router.name, transportName: '' },
  }
  const value = await setup.context.ports.expand(option, context)
  if (!isFailure(value)) return { is: 'failed', message: textOf(value), router: undefined }
  if (value.kind !== 'forced') {
    const text = `failed to expand cannot_route_message in ${last.router.name} router: ${value.message}`
    setup.context.ports.log.panic(setup.context.message?.id, text)
  }
  return { is: 'failed', message: standard, router: undefined }
}

function reasonOf(run: RouterRun): ByteString {
  if (run.is !== 'ran' || !('message' in run.verdict) || run.verdict.message === undefined) return ''
  return `: ${run.verdict.message}`
}

function told(run: RouterRun, router: RouterInstance): string {
  switch (run.is) {
    case 'skipped':
      return `${router.name} router skipped: ${run.why}`
    case 'deferred':
      return `${router.name} router: precondition deferred: ${run.message}`
    case 'ran':
      return `${router.name} router: ${run.verdict.is}`
  }
}
