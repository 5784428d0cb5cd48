package config

import (
	"path/filepath"
	"strings"

	"github.com/myriad-mind/myriad"
)

// written is an agent as people write it in a file: the fields of the API, and a short form for what this server starts itself. `command:` or
// `image:` beside the name stand for a template with nothing else; a template may leave out its kind where a command, an image or knowledge
// tells it; memory is written like 256MiB.
type written struct {
	myriad.Agent
	Command  []string         `json:"command"`
	Image    string           `json:"image"`
	Template *writtenTemplate `json:"template"`
}

type writtenTemplate struct {
	myriad.Template
	Limits writtenLimits `json:"limits"`
}

type writtenLimits struct {
	myriad.Limits
	Memory *Size `json:"memory"`
}

// agent is the agent in full, and every rule that it breaks. Commands run in dir unless they say otherwise; "" leaves open where.
func (w *written) agent(dir string) (myriad.Agent, []myriad.Mistake) {
	a := w.Agent
	a.Owner = myriad.OwnerFile
	template, mistakes := w.template()
	if template != nil && template.Kind == myriad.TemplateCommand && dir != "" && !filepath.IsAbs(template.Dir) {
		template.Dir = filepath.Join(dir, template.Dir)
	}
	a.Template = template
	a, rules := myriad.CheckAgent(a)
	for _, m := range rules {
		if m.Path == "template.limits.memory_bytes" && w.Template != nil && w.Template.Limits.Memory != nil {
			m.Path = "template.limits.memory" // as it was written
		}
		if w.Template == nil { // the short form has no such part
			m.Path = strings.TrimPrefix(m.Path, "template.")
		}
		mistakes = append(mistakes, m)
	}
	return a, mistakes
}

func (w *written) template() (*myriad.Template, []myriad.Mistake) {
	var mistakes []myriad.Mistake
	wrong := func(path, rule string) { mistakes = append(mistakes, myriad.Mistake{Path: path, Rule: rule}) }
	short := &writtenTemplate{Template: myriad.Template{Command: w.Command, Image: w.Image}}
	isShort := w.Image != "" || w.Command != nil
	switch {
	case w.Template == nil && !isShort:
		return nil, nil
	case w.Template == nil:
		w.noEndpoint(wrong)
		return short.full(wrong), mistakes
	case isShort:
		wrong("template", "must not be there beside command or image, which stand for it")
	}
	w.noEndpoint(wrong)
	return w.Template.full(wrong), mistakes
}

// noEndpoint: where an agent of a template answers is for the fleet to say.
func (w *written) noEndpoint(wrong func(path, rule string)) {
	if w.Endpoint != "" {
		wrong("endpoint", "must not be there beside a command, an image or a template: an agent has one or the other")
	}
}

// full fills in the kind where it can be told, and the memory limit.
func (t *writtenTemplate) full(wrong func(path, rule string)) *myriad.Template {
	out := t.Template
	out.Limits = t.Limits.Limits
	if out.Kind == "" {
		switch {
		case out.Image != "":
			out.Kind = myriad.TemplateImage
		case out.Knowledge != nil:
			out.Kind = myriad.TemplateKnowledge
		case out.Command != nil:
			out.Kind = myriad.TemplateCommand
		}
	}
	if memory := t.Limits.Memory; memory != nil {
		if out.Limits.MemoryBytes != 0 {
			wrong("template.limits.memory", "must not be there beside memory_bytes")
		}
		out.Limits.MemoryBytes = int64(*memory)
	}
	return &out
}
