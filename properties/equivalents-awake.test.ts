// E-6, which waits once where no hooked code runs in the idle task, with E-3, which swaps a filter in two harmless steps.
import { testPair } from './equivalents-pair.ts';

testPair('small-awake', [
  { id: 'M-02', judge: 'memory', budget: 300 },
  { id: 'M-13', judge: 'filter-swap', budget: 300 },
]);
