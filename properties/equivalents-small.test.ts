// E-1, which waits in another order, with E-2, which patches before it stores the filter.
import { testPair } from './equivalents-pair.ts';

testPair('small', [
  { id: 'M-02', judge: 'memory', budget: 300 },
  { id: 'M-03', judge: 'memory', budget: 1000 },
  { id: 'M-04', judge: 'memory', budget: 1000 },
  { id: 'M-13', judge: 'filter-swap', budget: 300 },
]);
