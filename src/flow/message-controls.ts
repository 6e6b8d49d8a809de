/** What ACL controls and the command line set on a message, with nothing set yet. Each message has its own. */
import type { MessageControls } from '../ports.ts'

export function newControls(): MessageControls {
  return {
    freeze: false,
    freezeNoTell: false,
    queueOnly: false,
    queueFirstPassRoute: false,
    fakeReject: undefined,
    fakeDefer: undefined,
    submission: undefined,
    suppressLocalFixups: false,
    casefulLocalPart: false,
    noMboxUnspool: false,
    disablePipelining: false,
    enforceSync: true,
    noMultilineResponses: false,
    noCalloutFlush: false,
    noDelayFlush: false,
    allowAuthUnadvertised: false,
    dkimDisableVerify: false,
    dmarcDisableVerify: false,
    dmarcEnableForensic: false,
    cutthrough: undefined,
    queueName: undefined,
  }
}
