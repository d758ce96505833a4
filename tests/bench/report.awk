# Reads lines `round target requests_per_second p99_ms` and writes a Markdown table, in the order in which the targets first appear.
# A ratio is taken within its round, where both ran on the machine in the same state, and the median of the rounds is shown.

function median(values, n,    i, j, swap) {
    for (i = 2; i <= n; i++)
        for (j = i; j > 1 && values[j - 1] > values[j]; j--) {
            swap = values[j]; values[j] = values[j - 1]; values[j - 1] = swap
        }
    return n % 2 ? values[(n + 1) / 2] : (values[n / 2] + values[n / 2 + 1]) / 2
}

# The median over the rounds of one measure of one target, divided by nginx's in the same round when `relative`.
function over_rounds(measured, target, relative,    r, n, values) {
    for (r = 1; r <= rounds; r++)
        if ((r, target) in measured) {
            n++
            values[n] = measured[r, target] / (relative ? measured[r, "nginx"] : 1)
        }
    return median(values, n)
}

{
    if (!($2 in seen)) { seen[$2] = 1; order[++targets] = $2 }
    rate[$1, $2] = $3
    p99[$1, $2] = $4
    if ($1 > rounds) rounds = $1
}

END {
    print "| served by | requests/s | of nginx's | p99 | of nginx's |"
    print "|---|---:|---:|---:|---:|"
    for (t = 1; t <= targets; t++) {
        target = order[t]
        label = target
        if (target == "nginx") label = "nginx `proxy_cache`"
        if (target == "varnish") label = "Varnish, in memory"
        if (target == "near") label = "**juscache, near copy**"
        if (target == "redis") label = "**juscache, Redis**"
        if (target == "postgres") label = "**juscache, PostgreSQL**"
        printf "| %s | %d | %.2f | %.2f ms | %.2f |\n", label, over_rounds(rate, target), over_rounds(rate, target, 1), \
            over_rounds(p99, target), over_rounds(p99, target, 1)
    }
}
