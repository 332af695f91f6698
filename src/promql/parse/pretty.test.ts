/** Line breaks as Prometheus 3.14 makes them; 2,008 more texts are in test/golden-parse.test.ts. */
import { equal } from 'node:assert/strict';
import { test } from 'node:test';
import { ALL_FEATURES } from './options.ts';
import { parseExpr } from './parse.ts';
import { prettyExpr } from './pretty.ts';

test('pretty: line breaks', () => {
  const f = (want: string) => {
    const oneLine = want
      .trim()
      .replaceAll(/\n */g, ' ')
      .replaceAll(/\( /g, '(')
      .replaceAll(' )', ')');
    const texts = [want, oneLine];
    for (const text of texts) equal(prettyExpr(parseExpr(text, ALL_FEATURES)), want);
  };
  f(`  sum by (namespace, pod, container, a_rather_long_label_name_for_this) (
    rate(container_cpu_usage_seconds_total{job="kubelet",namespace="monitoring"}[5m])
  )
/ on (namespace) group_left (zone, rack)
  max by (namespace) (kube_namespace_zone{zone=~"eu-.*"})`);
  f(`-(
    metric_with_a_long_name_that_does_not_fit_on_a_line{label="value"}
  +
    another_metric_with_a_long_name{label="value"}
)`);
  f(`max_over_time(
  (
      metric_with_a_long_name_that_does_not_fit_on_a_line{label="value"}
    +
      bool_metric_with_a_long_name{label="value"}
  )[1h:5m] offset 5m
)`);
  f(`  quantile_over_time(0.99, up[1h:5m])
+
  topk without (instance) (
    10,
    metric_with_a_long_name_that_does_not_fit_on_a_line{label="value"} == bool 1
  )`);
  f(`label_replace(
  metric_with_a_long_name,
  "destination",
  "ääääääääääääääääääääääääääääää",
  "src",
  "(.*)"
)`);
  f(`  max_over_time(up[1h:5m])
> bool ignoring (instance) group_right ()
  max_over_time(another_metric_with_a_long_name{label="value"}[1h:5m])`);
  f(`  max_over_time(
(metric_with_a_long_name_that_does_not_fit_on_a_line_at_all_really_not)[1h:5m] @ end() offset -5m
  )
+
  time()`);
  f(`  fill_left
+ on (a) fill_left (1e+06) fill_right (-0)
  metric_with_a_long_name_that_does_not_fit_on_a_line_at_all_really_not`);
});
