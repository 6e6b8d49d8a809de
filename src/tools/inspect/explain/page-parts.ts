/** Style and script of the page; both stand within it. */

export const style = `
:root{--ink:#1c2128;--quiet:#57606a;--paper:#f6f7f9;--card:#fff;--line:#d5dae1;--bad:#b3261e;--badbg:#fdecea;--good:#1a6b3c;--goodbg:#e8f5ec;--mark:#fff4d1;--code:#eef1f5;--link:#0b57a4}
@media (prefers-color-scheme:dark){:root{--ink:#e4e8ee;--quiet:#9aa4b0;--paper:#12161b;--card:#1b2027;--line:#323a45;--bad:#ff8a80;--badbg:#3a1d1c;--good:#7fd8a0;--goodbg:#17301f;--mark:#3c3312;--code:#252c35;--link:#86b7f0}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,sans-serif;overflow-wrap:anywhere}
main{max-width:62rem;margin:0 auto;padding:1rem 1rem 3rem}
h1{font-size:1.3rem;margin:.1rem 0 1rem;line-height:1.3}
h2{font-size:1.15rem;margin:2rem 0 .6rem;border-top:1px solid var(--line);padding-top:1rem}
h3{font-size:1rem;margin:0}
.brand{margin:0;color:var(--quiet);font-size:.8rem;letter-spacing:.04em}
code,pre,.what,.result{font:13px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
pre{margin:.4rem 0;white-space:pre-wrap}
code{background:var(--code);border-radius:4px;padding:.1em .35em}
.decision{background:var(--card);border:1px solid var(--line);border-left:4px solid var(--bad);border-radius:8px;padding:.9rem 1rem;margin:0 0 1rem}
.answer{padding:.5rem .7rem;border-radius:6px;background:var(--badbg);color:var(--bad);font-weight:600}
.by{margin:.4rem 0}.by .statement{font-weight:600}
.place{color:var(--link);font:12.5px/1.4 ui-monospace,Menlo,Consolas,monospace}
.source{background:var(--code);border-radius:6px;padding:.5rem 0;overflow-x:auto}
.source span{display:block;padding:0 .7rem 0 3.6rem;text-indent:-3rem;color:var(--quiet)}
.source .here{background:var(--mark);color:var(--ink)}
.source i{display:inline-block;width:2.4rem;margin-right:.6rem;text-indent:0;text-align:right;color:var(--quiet);font-style:normal;user-select:none}
.conditions{width:100%;border-collapse:collapse;margin:.5rem 0}
.conditions caption{text-align:left;color:var(--quiet);font-size:.85rem;padding-bottom:.2rem}
.conditions th,.conditions td{border-top:1px solid var(--line);padding:.4rem .5rem .4rem 0;text-align:left;vertical-align:top;font-weight:400}
.conditions td{width:34%;font:13px/1.5 ui-monospace,Menlo,Consolas,monospace}
.saw{font:12.5px/1.5 ui-monospace,Menlo,Consolas,monospace;color:var(--quiet);margin:.25rem 0 0 .35rem}
tr.yes td{font-weight:600}tr.no td{color:var(--quiet)}
.seen,.accepted{margin:.3rem 0;padding-left:1.1rem}
.accepted{list-style:none;padding:0;background:var(--card);border:1px solid var(--line);border-left:0;border-radius:8px;margin:0 0 1rem;overflow:hidden}
.accepted li{padding:.5rem .9rem;border-left:4px solid var(--good)}.accepted li.bad{border-left-color:var(--bad)}.accepted li.bad b{color:var(--bad)}.accepted li+li{border-top:1px solid var(--line)}
.accepted pre{margin:.2rem 0 0;color:var(--quiet)}
.banner{background:var(--goodbg);border-radius:8px;padding:.6rem .9rem;font-weight:600}
.good{color:var(--good)}.quiet,.note,.took{color:var(--quiet)}
.note{font-size:.85rem;padding:.2rem .4rem}.took{font-size:.8rem}
.bar{display:flex;flex-wrap:wrap;gap:.5rem 1rem;align-items:center;justify-content:space-between;margin:1.4rem 0 .5rem}
.buttons{display:flex;gap:.5rem}
button{font:inherit;font-size:.85rem;color:var(--ink);background:var(--card);border:1px solid var(--line);border-radius:6px;padding:.35rem .8rem;cursor:pointer}
button:hover{border-color:var(--quiet)}
:focus-visible{outline:2px solid var(--link);outline-offset:2px}
.steps{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:.3rem 0}
.step,.step.good{border-left:3px solid transparent;color:var(--ink)}
.steps>.step{padding-left:.5rem}
.steps>.step+.step{border-top:1px solid var(--line)}
.step .step{margin-left:1.1rem}
summary,div.step{padding:.28rem .6rem}
summary{cursor:pointer;list-style:none}
summary::-webkit-details-marker{display:none}
summary::before{content:"\\25B8";display:inline-block;width:1rem;color:var(--quiet)}
details[open]>summary::before{content:"\\25BE"}
summary:hover{background:var(--code)}
div.step{padding-left:1.6rem}
.kind{display:inline-block;font-size:.72rem;color:var(--quiet);border:1px solid var(--line);border-radius:4px;padding:0 .35em;margin-right:.2rem}
.result{white-space:pre-wrap;color:var(--quiet)}
.result::before{content:"\\2192\\00a0"}
.step.bad>summary .result,div.step.bad .result{color:var(--bad)}
.step.good>summary .result,div.step.good .result{color:var(--good)}
.steps>.step.bad{border-left-color:var(--bad)}.steps>.step.good{border-left-color:var(--good)}
s{text-decoration:none;opacity:.6}
@media (max-width:40rem){main{padding:.7rem .6rem 2rem}.decision{padding:.7rem .7rem}.step .step{margin-left:.45rem}.source span{padding-left:2.7rem;text-indent:-2.2rem}.source i{width:1.8rem;margin-right:.4rem}.conditions,.conditions caption,.conditions tbody,.conditions tr,.conditions th,.conditions td{display:block;width:100%}.conditions td{border:0;padding-top:0}}
`

export const script = `
for(const b of document.querySelectorAll('button[data-open]'))b.addEventListener('click',()=>{for(const d of b.closest('section').querySelectorAll('details'))d.open=b.dataset.open==='1'})
`
