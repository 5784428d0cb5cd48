// Package telemetry turns events into metrics (Prometheus), traces (OpenTelemetry) and logs (slog). Each of the three is a myriad.Sink;
// New stacks them. Nothing here is asked by the rest of the program: it only listens, so it can be read on its own, starting at New.
package telemetry
