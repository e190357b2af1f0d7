import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { test } from 'vitest';
import { randomChooser } from '../src/replay/explore/random.ts';
import { calmChooser } from '../src/emu/choose.ts';
import { loadElf } from '../src/emu/elf.ts';
import { EventLog } from '../src/replay/event-log.ts';
import { judgeEvents } from '../src/replay/guarantee/index.ts';
import { Session } from '../src/replay/session.ts';
import { check } from '../src/replay/workload/check.ts';
import { makePlan } from '../src/replay/workload/make-plan.ts';
import type { Plan } from '../src/replay/workload/plan.ts';
import { parseWorkload } from '../src/replay/workload/parse.ts';
import { PROFILE_TODAY } from '../src/trace/profile.ts';
import { workloadArbitrary, workloadsWith } from './workloads.ts';

function run(plan: Plan, seed: number, variants: never[] = []) {
  const log = new EventLog();
  const chooser = seed < 0 ? calmChooser : randomChooser({ seed, schedule: plan.machine.schedule, inject: plan.machine.inject });
  const session = new Session(plan, { chooser, profile: PROFILE_TODAY, variants, log });
  while (session.tick());
  return { session, log };
}

import { VARIANTS } from '../src/trace/variants/variants.ts';
test('goldens', () => {
  for (const name of readdirSync('golden').filter((n) => n.endsWith('.yaml'))) {
    const { workload, positions } = parseWorkload(readFileSync(`golden/${name}`, 'utf8'), name);
    const bytes = workload.image === undefined ? undefined : readFileSync(`golden/${workload.image}`);
    check(workload, positions, bytes && loadElf(bytes, 'elf'));
    const plan = makePlan(workload, bytes);
    const bad: string[] = [];
    const seeds = [plan.machine.seed ?? 0, ...Array.from({ length: bytes ? 8 : 60 }, (_, i) => 1000 + i)];
    for (const seed of seeds) {
        const { session, log } = run(plan, seed);
        const un = session.unfired().map((e) => e.item).join();
        if (un) bad.push(`${seed} unfired ${un}`);
        if (session.ending !== 'run_end') bad.push(`${seed} ${session.ending}`);
        for (const r of session.results) if (r.expected !== r.found) bad.push(`${seed} result ${r.item} ${r.found}`);
        for (const c of plan.counters) { const v = session.readData(c.symbol, c.offset); if ((c.relation === 'at_least' && v < c.value) || (c.relation === 'is' && v !== c.value)) bad.push(`${seed} ${c.counter} ${v}`); }
        for (const j of judgeEvents(log.events())) if (plan.guarantees.includes(j.guarantee.name as never) && j.verdict.status !== 'held') bad.push(`${seed} ${j.guarantee.name} ${j.verdict.status}`);
    }
    console.log(name, seeds.length, bad.length, bad.slice(0, 6).join(' | '));
  }
}, 60000);
test('random', () => {
  const steps: number[] = []; const endings: Record<string, number> = {}; const ex: Record<string, number> = {}; let unfired = 0; let n = 0;
  const bad: string[] = [];
  const t0 = performance.now();
  for (const [i, w] of fc.sample(workloadArbitrary, { numRuns: 150, seed: 3 }).entries()) {
    try {
      const { session, log } = run(makePlan(w), i);
      n++; steps.push(session.machine.step); endings[session.ending] = (endings[session.ending] ?? 0) + 1;
      if (session.unfired().length) unfired++;
      for (const j of judgeEvents(log.events())) { const k = `${j.guarantee.name} ${j.verdict.status}`; ex[k] = (ex[k] ?? 0) + 1; if (j.verdict.status === 'broken') bad.push(`${i} ${j.guarantee.name} ${j.verdict.why}`);}
      for (const r of session.results) if (r.expected !== r.found) bad.push(`${i} result item ${r.item} expected ${r.expected} found ${r.found}`);
      if (session.ending !== 'run_end') bad.push(`${i} ${session.ending} ${JSON.stringify([...log.events()].slice(-1)[0], (_, v) => typeof v === 'bigint' ? String(v) : v)}`);
    } catch (e) { bad.push(`${i} THREW ${(e as Error).stack?.split('\n').slice(0, 4).join(' | ')}`); }
  }
  steps.sort((a, b) => a - b);
  console.log(n, 'steps median', steps[n >> 1], 'p90', steps[Math.floor(n * 0.9)], 'max', steps.at(-1), endings, ex, 'unfired', unfired, 'ms/run', (performance.now() - t0) / 150);
  console.log(bad.slice(0, 20).join('\n'));
}, 120000);

test('kills', () => {
  const plans = fc.sample(process.env['SHARED'] ? workloadsWith({ shared: true }) : workloadArbitrary, { numRuns: 200, seed: 11 }).map((w) => makePlan(w));
  const goldens = readdirSync('golden').filter((n) => n.endsWith('.yaml') && !n.includes('c-store')).map((n) => [n, makePlan(parseWorkload(readFileSync(`golden/${n}`, 'utf8'), n).workload)] as const);
  for (const v of VARIANTS.values()) {
    const kills: Record<string, number> = {}; let first = -1; let killed = 0; let threw = '';
    for (const [i, plan] of plans.entries()) {
      try {
        const { session, log } = run(plan, i, [v] as never);
        let hit = session.ending !== 'run_end';
        if (hit) kills[session.ending] = (kills[session.ending] ?? 0) + 1;
        for (const j of judgeEvents(log.events())) if (j.verdict.status === 'broken') { hit = true; kills[j.guarantee.name] = (kills[j.guarantee.name] ?? 0) + 1; }
        if (hit) { killed++; if (first < 0) first = i; }
      } catch (e) { threw = (e as Error).message; }
    }
    const by: string[] = [];
    for (const [n, plan] of goldens) { let c = 0; for (let k = 0; k < (process.env['SHARED'] ? 0 : 0); k++) { try { const { session, log } = run(plan, k, [v] as never); if (session.ending !== 'run_end' || judgeEvents(log.events()).some((j) => j.verdict.status === 'broken')) c++; } catch (e) { threw = (e as Error).message; } } if (c) by.push(`${n.replace('.yaml', '')}:${c}/15`); }
    console.log(v.id, 'killed', killed, '/200 first', first, JSON.stringify(kills), threw, by.join(' '));
  }
}, 400000);
