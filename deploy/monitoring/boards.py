"""What the dashboards show. Queries are PromQL; `$__rate_interval` is Grafana's."""

from __future__ import annotations

from deploy.monitoring.panels import (
    BYTES,
    COUNT,
    RATE,
    SECONDS,
    SHARE,
    Board,
    Panel,
    Query,
    per_stage,
    quantile,
    quantiles,
    rate,
)

CALLS = Board(
    "dialtone-calls",
    "Dialtone: calls",
    [
        (
            "Traffic",
            [
                Panel(
                    "Calls now",
                    COUNT,
                    [Query("sum by (dialect) (dialtone_gateway_active_calls)", "{{dialect}}")],
                    "By protocol. The gateways scale by their sum.",
                ),
                Panel(
                    "Turns",
                    RATE,
                    [Query(rate('dialtone_turn_seconds_count{part="total"}'), "answered aloud")],
                    "Answers that were heard, a second.",
                ),
                Panel(
                    "Calls by how they ended",
                    RATE,
                    [Query(rate("dialtone_gateway_calls_total", "end"), "{{end}}")],
                    "What is neither the client's wish nor a drain is worth a look.",
                ),
            ],
        ),
        (
            "Errors",
            [
                Panel(
                    "Handshakes refused",
                    RATE,
                    [Query(rate("dialtone_gateway_refused_total", "reason"), "{{reason}}")],
                    "`gateway_full`, `gateway_draining`, `service_unavailable` are our own.",
                ),
                Panel(
                    "Responses by how they ended",
                    RATE,
                    [
                        Query(
                            rate("dialtone_gateway_responses_total", "status, failure"),
                            "{{status}} {{failure}}",
                        )
                    ],
                    "`cancelled` is an interruption. The client was told of each that failed, and why.",
                ),
                Panel(
                    "Work that found no queue",
                    RATE,
                    [Query(rate("dialtone_gateway_unqueued_work_total", "reason"), "{{reason}}")],
                    "Each is an answer that failed, and its caller was told.",
                ),
                Panel(
                    "Clients that do not keep up",
                    RATE,
                    [
                        Query(rate("dialtone_gateway_stalled_clients_total"), "closed: do not read"),
                        Query(rate("dialtone_gateway_held_clients_total"), "held: send too fast"),
                        Query(rate("dialtone_gateway_takeovers_total"), "came back over a live call"),
                    ],
                    "Many take-overs are broken connections, or two clients with one session.",
                ),
            ],
        ),
    ],
)

LATENCY = Board(
    "dialtone-latency",
    "Dialtone: latency by stage",
    [
        (
            "A turn",
            [
                Panel(
                    "Voice to voice",
                    SECONDS,
                    quantiles("dialtone_turn_seconds", '{part="total"}'),
                    "From the last voiced sample to the first audio sent, on the call's audio clock.",
                ),
                Panel(
                    "Where it goes, p95",
                    SECONDS,
                    [Query(quantile(0.95, "dialtone_turn_seconds", "part"), "{{part}}")],
                    "The parts do not add up to the whole: stages begin on a guess while others still run.",
                ),
            ],
        ),
        (
            "Stages",
            [
                Panel(
                    "Endpointing",
                    SECONDS,
                    quantiles("dialtone_endpoint_seconds"),
                    "From the last voiced sample until the ears knew that the turn was over.",
                ),
                Panel(
                    "Recognition",
                    SECONDS,
                    quantiles("dialtone_asr_seconds"),
                    "The model's time for a passage.",
                ),
                Panel(
                    "First token, p95",
                    SECONDS,
                    [Query(quantile(0.95, "dialtone_llm_first_token_seconds", "backend"), "{{backend}}")],
                    "From the grant of a turn to its first token, by backend.",
                ),
                Panel(
                    "First chunk of speech",
                    SECONDS,
                    quantiles("dialtone_tts_first_chunk_seconds"),
                    "From the grant of a sentence to its first audio.",
                ),
                Panel(
                    "Work, p95",
                    SECONDS,
                    [Query(quantile(0.95, "dialtone_work_seconds", "stage"), "{{stage}}")],
                    "From delivery to the end. A leg of the ears lasts as long as its call.",
                ),
                Panel(
                    "Event loops, p99 late",
                    SECONDS,
                    [Query(quantile(0.99, "dialtone_event_loop_lag_seconds", "instance"), "{{instance}}")],
                    "What is late here is late for every call of the process.",
                ),
            ],
        ),
    ],
)

SATURATION = Board(
    "dialtone-saturation",
    "Dialtone: saturation and scaling",
    [
        (
            "Load",
            [
                Panel(
                    "Slots in use",
                    SHARE,
                    [
                        Query(
                            f"{per_stage('dialtone_work_in_progress')} / {per_stage('dialtone_work_slots')}",
                            "{{stage}}",
                        )
                    ],
                    "Pods are added at 0.7. At 1 work waits.",
                ),
                Panel(
                    "Slots",
                    COUNT,
                    [Query("sum by (stage) (dialtone_work_slots)", "{{stage}}")],
                    "Of the workers that run, ready or not.",
                ),
                Panel(
                    "Places of a gateway in use",
                    SHARE,
                    [
                        Query(
                            "sum by (instance) (dialtone_gateway_active_calls)"
                            " / sum by (instance) (dialtone_gateway_max_calls)",
                            "{{instance}}",
                        )
                    ],
                    "Calls by MAX_CALLS. At 1 callers are refused.",
                ),
                Panel(
                    "Passages that wait for a recogniser",
                    COUNT,
                    [Query("sum by (instance) (dialtone_asr_waiting)", "{{instance}}")],
                    "Above zero for long: the models of this pod do not keep up with its legs.",
                ),
            ],
        ),
        (
            "Moshi",
            [
                Panel(
                    "A step of all calls",
                    SECONDS,
                    quantiles("dialtone_moshi_step_seconds"),
                    "At 0.08 it takes as long as the audio that it advances: the calls fall behind.",
                ),
                Panel(
                    "Late",
                    RATE,
                    [
                        Query(rate("dialtone_moshi_overruns_total"), "steps longer than 80 ms"),
                        Query(rate("dialtone_moshi_frozen_frames_total"), "calls without their next frame"),
                    ],
                    "Long steps are the GPU's, missing frames those of networks and gateways.",
                ),
                Panel(
                    "Calls",
                    COUNT,
                    [Query("sum by (instance) (dialtone_moshi_open_slots)", "{{instance}}")],
                    "Every slot is computed in every step, whether it has a call or not.",
                ),
            ],
        ),
        (
            "Resources",
            [
                Panel(
                    "CPU, cores",
                    COUNT,
                    [Query("rate(process_cpu_seconds_total[$__rate_interval])", "{{job}} {{instance}}")],
                    "Of each process; that of a model in a process of its own is in the container's figures.",
                ),
                Panel(
                    "Memory",
                    BYTES,
                    [Query("process_resident_memory_bytes", "{{job}} {{instance}}")],
                    "Resident.",
                ),
                Panel("Open files", COUNT, [Query("process_open_fds", "{{instance}}")], "Growth is a leak."),
                Panel("Tasks", COUNT, [Query("dialtone_tasks", "{{instance}}")], "Growth is a leak."),
                Panel(
                    "Not yet with the broker",
                    BYTES,
                    [Query("sum by (instance) (dialtone_bus_unsent_bytes)", "{{instance}}")],
                    "What waits in the connections to NATS.",
                ),
                Panel(
                    "Writes that wait for SQL",
                    COUNT,
                    [Query("sum by (instance) (dialtone_store_outbox_entries)", "{{instance}}")],
                    "They are carried out in order when it answers; OUTBOX_ENTRIES is the limit.",
                ),
            ],
        ),
    ],
)

FAULTS = Board(
    "dialtone-faults",
    "Dialtone: faults",
    [
        (
            "Leases",
            [
                Panel(
                    "Leases by how they ended",
                    RATE,
                    [Query(rate("dialtone_leases_total", "stage, result"), "{{stage}} {{result}}")],
                    "`done` is as it should be, `cancelled` is an interruption.",
                ),
                Panel(
                    "Delivered again",
                    RATE,
                    [Query(rate("dialtone_redeliveries_total", "stage"), "{{stage}}")],
                    "A worker was lost, or left: somebody else goes on.",
                ),
                Panel(
                    "Given up",
                    RATE,
                    [Query(rate("dialtone_exhausted_work_total", "stage"), "{{stage}}")],
                    "No worker could do it: each is an answer that failed.",
                ),
            ],
        ),
        (
            "Servers",
            [
                Panel(
                    "Broker",
                    COUNT,
                    [Query("min by (job) (dialtone_bus_connected)", "{{job}} connected")],
                    "0: some process of this kind is without its broker.",
                ),
                Panel(
                    "Trouble with the broker",
                    RATE,
                    [
                        Query(rate("dialtone_bus_errors_total", "kind"), "{{kind}}"),
                        Query(rate("dialtone_bus_reconnects_total"), "connected again"),
                    ],
                    "`slow_consumer`: a process had too much to do, and repaired its stream.",
                ),
                Panel(
                    "Stores",
                    COUNT,
                    [Query("min by (store) (dialtone_store_up)", "{{store}} answers")],
                    "Calls go on without; new ones need Redis.",
                ),
                Panel(
                    "What the stores could not do",
                    RATE,
                    [
                        Query(rate("dialtone_store_failures_total", "store"), "{{store}}"),
                        Query(rate("dialtone_store_outbox_lost_total", "reason"), "lost: {{reason}}"),
                    ],
                    "`lost` never reached SQL; a failure alone is tried again.",
                ),
            ],
        ),
        (
            "Models",
            [
                Panel(
                    "Models in processes of their own",
                    COUNT,
                    [
                        Query("min by (model) (dialtone_model_ready)", "{{model}} ready"),
                        Query(
                            "sum by (model, how) (increase(dialtone_model_losses_total[10m]))",
                            "{{model}} {{how}}",
                        ),
                    ],
                    "Losses in ten minutes: a crash or a hang, after which the process is started again.",
                ),
                Panel(
                    "Recognition that failed",
                    RATE,
                    [
                        Query(rate("dialtone_asr_failed_total"), "the model raised"),
                        Query(rate("dialtone_asr_refused_total", "urgency"), "no room: {{urgency}}"),
                        Query(
                            rate("dialtone_asr_upstream_failures_total", "backend, code"),
                            "{{backend}} {{code}}",
                        ),
                    ],
                    "A turn without its words gets no answer, unless the next of the backends has them.",
                ),
                Panel(
                    "Who recognises",
                    RATE,
                    [
                        Query(rate("dialtone_asr_answers_total", "backend"), "{{backend}}"),
                        Query(rate("dialtone_asr_passed_over_total", "backend"), "{{backend}} passed over"),
                    ],
                    "One is passed over while its server is not asked.",
                ),
                Panel(
                    "Voices of vendors",
                    RATE,
                    [
                        Query(
                            rate("dialtone_tts_upstream_failures_total", "backend, code"),
                            "{{backend}} {{code}}",
                        ),
                        Query(rate("dialtone_tts_passed_over_total", "backend"), "{{backend}} passed over"),
                    ],
                    "The next of a list speaks; without one the sentence is delivered as text.",
                ),
                Panel(
                    "Servers of models",
                    RATE,
                    [
                        Query(
                            rate("dialtone_llm_upstream_failures_total", "backend, code"),
                            "{{backend}} {{code}}",
                        ),
                        Query(
                            rate("dialtone_llm_upstream_retries_total", "backend"), "{{backend}} asked again"
                        ),
                        Query(rate("dialtone_llm_passed_over_total", "backend"), "{{backend}} passed over"),
                    ],
                    "What a vendor's server answered instead of an answer.",
                ),
                Panel(
                    "Servers that are not asked just now",
                    COUNT,
                    [
                        Query("max by (backend) (dialtone_llm_open_breakers)", "{{backend}}"),
                        Query("max by (backend) (dialtone_asr_open_breakers)", "{{backend}}, recognising"),
                        Query("max by (backend) (dialtone_tts_open_breakers)", "{{backend}}, speaking"),
                    ],
                    "It failed too often; it is tried again after a while.",
                ),
                Panel(
                    "Processes in trouble",
                    RATE,
                    [
                        Query(
                            rate("dialtone_event_loop_stalls_total", "instance"), "{{instance}} stood still"
                        ),
                        Query(rate("dialtone_log_lines_lost_total", "instance"), "{{instance}} cannot log"),
                    ],
                    "The log says where a loop stood; a full disk keeps lines from being written.",
                ),
            ],
        ),
    ],
)

BOARDS = (CALLS, LATENCY, SATURATION, FAULTS)
